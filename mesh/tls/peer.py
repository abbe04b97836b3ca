"""The names of a peer, from the certificate that it showed in the TLS handshake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_KEYS = ("peer_uri", "peer_dns")  # of gRPC's auth context; only in a verified certificate


def peer_names(auth_context: Mapping[str, Iterable[bytes]]) -> frozenset[str]:
    """Returns the URI and DNS names of the peer, such as `spiffe://studio.example/lobby`.

    A peer without a certificate has none.
    """
    return frozenset(name.decode(errors="replace") for key in _KEYS for name in auth_context.get(key, ()))
