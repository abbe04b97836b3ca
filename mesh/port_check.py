"""Checks that no program uses a port. This module imports no gRPC, because `mesh up` uses it at its start."""

from __future__ import annotations

import contextlib
import socket


def listen_fault(host: str, port: int) -> str | None:
    """Returns the reason why no server can listen on the port; None if one can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None
