"""Recognition of peers: by the names in a certificate, else by a token, else as `anyone`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mesh.catalog.callers import METHODS, Method
from mesh.errors import Unauthenticated
from mesh.tls.peer import peer_names
from supervisor.callers.game_callers import GameCaller, GameCallers
from supervisor.callers.metrics import Result
from supervisor.callers.peer import NO_NAMES, Call, Peer, known_token, sent_authorization

KEPT_PEERS = 4096  # a certificate may have more names than those of a caller, so peers are not bounded by the catalogs
PLAINTEXT = "authorization: this port is plaintext, where anyone could read the token; connect with TLS"
WRONG_TOKEN = "authorization: is not the bearer token of a caller; send `Bearer TOKEN` with a token of the catalog"
NO_CALLER = "the peer is not a caller of this supervisor; show the certificate or the token of a caller"
_ALL_METHODS: frozenset[Method] = frozenset(METHODS)
_CertificateNames = tuple[tuple[bytes, ...], tuple[bytes, ...]]  # URIs and DNS names


class Unrecognised(Unauthenticated):
    """No catalog names the peer. `kind` is for the log, `names` are those in its certificate."""

    def __init__(self, kind: str, reason: str, names: frozenset[str]) -> None:
        super().__init__(reason)
        self.kind = kind
        self.names = names


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """A recognised peer. `callers` are its entries in the catalogs that name it, and `methods` those that they allow.

    `is_of_one_game`: its requests can only be for the game of its only caller.
    """

    peer: Peer
    callers: tuple[GameCaller, ...]
    methods: frozenset[Method]
    is_of_one_game: bool

    @property
    def caller(self) -> GameCaller | None:
        """The caller that stands for the peer before its game is known; None if only games without callers admit it."""
        return self.callers[0] if self.callers else None

    def count(self, result: Result) -> None:
        """Counts a request whose game is not known, for the caller that stands for the peer."""
        if self.callers:
            self.callers[0].counts.count(result)


class Recognition:
    """Recognises the peers of the catalogs with `callers`. `has_open_game`: there are catalogs without callers, too.

    `has_tls`: no port is plaintext.
    """

    def __init__(self, callers: Sequence[GameCallers], *, has_open_game: bool, has_tls: bool) -> None:
        self._callers = callers
        self._has_open_game = has_open_game
        self._has_tls = has_tls
        self._tokens = tuple(token for one in callers for token in one.tokens_sha256)
        self._by_certificate: dict[_CertificateNames, Admission] = {}
        self._by_peer: dict[Peer, Admission] = {}

    def of(self, call: Call) -> Admission:
        """Returns the admission of the peer of a call. Raises Unrecognised."""
        if not self._has_tls:
            return self._by_token(call, NO_NAMES)
        properties = call.auth_context()
        key = _key_of(properties)
        admission = self._by_certificate.get(key)
        if admission is not None:
            return admission
        names = peer_names(properties)
        if not any(one.names_one_of(names) for one in self._callers):
            return self._by_token(call, names)
        if len(self._by_certificate) >= KEPT_PEERS:
            self._by_certificate.clear()
        admission = self._by_certificate[key] = self._admission(Peer(names), names)
        return admission

    def _by_token(self, call: Call, names: frozenset[str]) -> Admission:
        authorization = sent_authorization(call)
        token = None
        if authorization is not None:
            if not self._has_tls:
                raise Unrecognised("token over plaintext", PLAINTEXT, names)
            token = known_token(authorization, self._tokens)
            if token is None:
                raise Unrecognised("wrong token", WRONG_TOKEN, names)
        peer = Peer(names, token)
        admission = self._by_peer.get(peer)
        if admission is None:
            if len(self._by_peer) >= KEPT_PEERS:
                self._by_peer.clear()
            admission = self._by_peer[peer] = self._admission(peer, names)
        return admission

    def _admission(self, peer: Peer, names: frozenset[str]) -> Admission:
        callers = tuple(caller for one in self._callers if (caller := one.of(peer)) is not None)
        if not callers and not self._has_open_game:
            raise Unrecognised("unknown peer", NO_CALLER, names)
        named = frozenset(method for caller in callers for method in caller.methods)
        methods = _ALL_METHODS if self._has_open_game else named
        return Admission(peer, callers, methods, len(callers) == 1 and not self._has_open_game)


def _key_of(properties: Mapping[str, Iterable[bytes]]) -> _CertificateNames:
    """Returns the names in the certificate of a connection as gRPC has them: `peer_names` takes 3 us."""
    return tuple(properties.get("peer_uri", ())), tuple(properties.get("peer_dns", ()))
