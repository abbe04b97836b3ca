"""The text of a network address."""

from __future__ import annotations

# Groups: the host, an IPv6 address in brackets; the port, which may still be too large.
HOST_AND_PORT = r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/\s]+):([0-9]{1,5})"


def host_and_port(host: str, port: int | str) -> str:
    """Returns the address of `port` on `host`; an IPv6 host gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
