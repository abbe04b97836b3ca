"""TLS and tokens of a client, and the channels that use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import grpc

CHANNEL_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.lb_policy_name", "pick_first"),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 2000),
    ("grpc.keepalive_timeout_ms", 1000),
    ("grpc.http2.ping_timeout_ms", 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


@dataclass(frozen=True, slots=True)
class Security:
    """PEM files: `ca` of the supervisors; `cert` and `key` if they ask for a certificate. Read at each connection.

    `server_name`: the name in the supervisors' certificate, if it is not their address. `token`: a bearer token.
    """

    ca: Path
    cert: Path | None = None
    key: Path | None = None
    server_name: str | None = None
    token: str | None = field(default=None, repr=False)


def open_channel(address: str, security: Security | None) -> grpc.aio.Channel:
    """Opens a channel to one supervisor. Raises OSError if a file cannot be read."""
    if security is None:
        return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
    key, cert = (None if path is None else Path(path).read_bytes() for path in (security.key, security.cert))
    credentials = grpc.ssl_channel_credentials(Path(security.ca).read_bytes(), key, cert)
    if security.token is not None:
        token = grpc.access_token_call_credentials(security.token)
        credentials = grpc.composite_channel_credentials(credentials, token)
    name = [("grpc.ssl_target_name_override", security.server_name)] if security.server_name else []
    return grpc.aio.secure_channel(address, credentials, options=[*CHANNEL_OPTIONS, *name])
