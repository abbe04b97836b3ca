"""The certificates of a mesh that runs, replaced while it serves: every certificate, and the CA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesh.tls.files import TlsFiles
from mesh.tls.throwaway import Authority, files_in, new_authority, write_pem


@dataclass
class Certificates:
    """Files in `folder` for each of `names`, which maps a service or client to the names in its certificate.

    All files are issued by `authority`; `ca.pem` has the CAs `trusted`.
    """

    folder: Path
    names: Mapping[str, Sequence[str]]
    authority: Authority = field(default_factory=new_authority)
    trusted: tuple[Authority, ...] = ()

    def files(self, name: str) -> TlsFiles:
        """Returns the files of a service or client."""
        return files_in(self.folder, name)

    def trust(self, *authorities: Authority) -> None:
        """Makes `authorities` the CAs of all."""
        self.trusted = authorities
        write_pem(self.files("").ca, b"".join(one.cert for one in authorities))

    def renew(self) -> None:
        """Gives everyone a new certificate and a new key, and writes the key first."""
        for name, names in self.names.items():
            issued, files = self.authority.issue(names), self.files(name)
            write_pem(files.key, issued.key)
            write_pem(files.cert, issued.cert)
