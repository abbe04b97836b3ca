"""Peers: what the other end of a call has shown about itself, and how it is read from the call."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

NO_NAMES: frozenset[str] = frozenset()
_AUTHORIZATION = "authorization"
_SCHEME = "bearer "


class Call(Protocol):
    """A call whose request need not have been read. grpc.aio's context and `RawCall` implement it."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Returns the properties of the connection."""
        ...

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        """Returns the metadata that the peer sent."""
        ...

    def peer(self) -> str:
        """Returns the address of the peer."""
        ...


@dataclass(frozen=True, slots=True)
class Peer:
    """The names in the certificate of a peer, and the SHA-256 of its token if a catalog has it."""

    names: frozenset[str] = NO_NAMES
    token_sha256: bytes | None = None


def sent_authorization(call: Call) -> str | None:
    """Returns the `authorization` that a peer sent; None if it sent none. Several are joined, so no token is equal."""
    sent = [str(value) for key, value in call.invocation_metadata() if key == _AUTHORIZATION]
    return ", ".join(sent) if sent else None


def known_token(authorization: str, known: Sequence[bytes]) -> bytes | None:
    """Returns the one of the SHA-256 digests `known` that is the digest of the bearer token in `authorization`.

    The time depends on the length of the token and on the number of digests only.
    """
    if authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    sent = hashlib.sha256(authorization[len(_SCHEME) :].encode(errors="surrogateescape")).digest()
    found = None
    for digest in known:
        if hmac.compare_digest(digest, sent):
            found = digest
    return found
