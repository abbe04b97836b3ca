"""The service account of a pod: the address of the API server, and the pod's credentials."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh.address import host_and_port
from mesh.errors import Misconfigured

_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The URL of the API server, the namespace of the pod, and the folder with its token and the CA certificate."""

    url: str
    namespace: str
    folder: Path

    def token(self) -> str:
        """Reads the current token, because the kubelet renews it; raises OSError. The file is small and in memory."""
        return (self.folder / "token").read_text(encoding="ascii").strip()

    def tls(self) -> ssl.SSLContext:
        """A context that trusts only the cluster's CA; raises OSError.

        Not `ssl.create_default_context`: it is strict since Python 3.13, and many cluster CAs have no key identifier.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.folder / "ca.crt")
        return context


def read_service_account(folder: Path, environ: Mapping[str, str]) -> ServiceAccount:
    """Reads the account of the pod of this process; raises Misconfigured with every missing part."""
    faults = []
    if not environ.get(_HOST):
        faults.append(f"--endpoint-slices: {_HOST} is not set; use this option only in a pod of a cluster")
    for name in ("token", "ca.crt", "namespace"):
        if not (folder / name).is_file():
            faults.append(f"--endpoint-slices: {folder / name} is missing; mount the pod's service account")
    if faults:
        raise Misconfigured(faults)
    url = "https://" + host_and_port(environ[_HOST], int(environ.get(_PORT) or 443))
    return ServiceAccount(url, (folder / "namespace").read_text(encoding="utf-8").strip(), folder)
