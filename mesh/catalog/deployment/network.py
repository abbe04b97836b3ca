"""The catalog block `kubernetes.network_policies`: the connections that the pods of a game may have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mesh.block import Block
from mesh.catalog.deployment.pods import Items

Port = Annotated[int, Field(ge=1, le=65535)]
Cidr = Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
Cidrs = Annotated[tuple[Cidr, ...], Field(strict=False)]
_KUBE_DNS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}


class NetworkPolicies(Block):
    """NetworkPolicies of the game. They deny the pods every connection that is not part of the mesh or listed here."""

    enabled: bool = True
    callers: Items | Literal["anyone"] = Field(
        (), description="NetworkPolicyPeers that may call the supervisors, or `anyone`; required if enabled"
    )
    dns: Items = Field((_KUBE_DNS,), description="NetworkPolicyPeers that resolve names, on port 53")
    ports: Annotated[tuple[Port, ...], Field(strict=False)] = Field(
        (443, 6443), description="TCP ports of the API server, the player store and S3"
    )
    api_server: Cidrs = Field((), description="CIDRs of the API server; default: any address")
    stores: Cidrs = Field((), description="CIDRs of the player store and of S3; default: any address")
    collector: Items = Field(
        (), description="NetworkPolicyPeers that take traces; default: the host or the namespace in `tracing.to`"
    )
    collector_port: Port | None = Field(
        None,
        description="port of the collector's pods; default: the port in `tracing.to`, which may be that of a Service",
    )
