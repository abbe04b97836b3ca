"""The names of a peer, from the certificate that it showed in the TLS handshake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_URI = "://"


def peer_names(auth_context: Mapping[str, Iterable[bytes]]) -> frozenset[str]:
    """Returns the URI and DNS names of the peer, such as `spiffe://studio.example/lobby`.

    `auth_context` is gRPC's; it has only names of verified certificates. A peer without a certificate has none. A DNS
    name that looks like a URI does not count: a CA that may sign only DNS names must not be able to sign URIs.
    """
    uris = (name.decode(errors="replace") for name in auth_context.get("peer_uri", ()))
    names = (name.decode(errors="replace") for name in auth_context.get("peer_dns", ()))
    return frozenset((*(uri for uri in uris if _URI in uri), *(name for name in names if _URI not in name)))
