"""What a pod knows of its cluster: where the API server is, and who the pod is to it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh.errors import Misconfigured
from supervisor.discovery.port import host_and_port

_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The API server's address, the pod's namespace, and the folder with the token and the CA's certificate."""

    url: str
    namespace: str
    folder: Path

    def token(self) -> str:
        """The token as it is now: the kubelet renews it. Raises OSError; the file is small and in memory."""
        return (self.folder / "token").read_text(encoding="ascii").strip()

    def tls(self) -> ssl.SSLContext:
        """Trusts the cluster's CA and nothing else; raises OSError.

        Not `ssl.create_default_context`: Python 3.13 made it strict, and many a cluster's CA has no key identifier.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / "ca.crt")
        return context


def read_service_account(folder: Path, environ: Mapping[str, str]) -> ServiceAccount:
    """The account of the pod that this process runs in; raises Misconfigured with all that is missing."""
    faults = []
    if not environ.get(_HOST):
        faults.append(f"--endpoint-slices: {_HOST} is not set; it is for pods of a cluster")
    for name in ("token", "ca.crt", "namespace"):
        if not (folder / name).is_file():
            faults.append(f"--endpoint-slices: {folder / name} is missing; mount the pod's service account")
    if faults:
        raise Misconfigured(faults)
    url = "https://" + host_and_port(environ[_HOST], int(environ.get(_PORT) or 443))
    return ServiceAccount(url, (folder / "namespace").read_text(encoding="utf-8").strip(), folder)
