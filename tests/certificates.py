"""Certificates of a throw-away CA in a folder, and options that name them."""

from __future__ import annotations

from pathlib import Path

from mesh.tls import throwaway
from mesh.tls.channel import ClientSecurity
from mesh.tls.files import TlsFiles

SERVER_NAME = "supervisor.testgame.mesh"
CLIENT_NAME = "client.mesh"


class Certificates:
    """A CA of its own; its certificates are files in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = throwaway.new_authority()

    def files(self, name: str, *names: str, times: throwaway.Times | None = None) -> TlsFiles:
        """Writes a new certificate `name` for `names`, and its key; returns the files."""
        files = throwaway.files_in(self.folder, name)
        self.authority.write(files, names or (f"{name}.mesh",), times)
        return files

    def server(self) -> TlsFiles:
        return self.files("supervisor", SERVER_NAME, "other.mesh")

    def client(self) -> TlsFiles:
        return self.files("client", CLIENT_NAME)


def security_with(files: TlsFiles, server_name: str = SERVER_NAME) -> ClientSecurity:
    return ClientSecurity(files.ca, files.cert, files.key, server_name)


def options_of(files: TlsFiles, server_name: str = SERVER_NAME) -> list[str]:
    """The options with which a command connects with the certificate `files`."""
    own = ["--tls-cert", str(files.cert), "--tls-key", str(files.key)]
    return ["--tls-ca", str(files.ca), *own, *(["--tls-name", server_name] if server_name else [])]
