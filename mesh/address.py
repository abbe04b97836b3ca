"""The text of a network address."""

from __future__ import annotations


def host_and_port(host: str, port: int | str) -> str:
    """Returns the address of `port` on `host`; an IPv6 host gets brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
