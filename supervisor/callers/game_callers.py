"""The callers of one game: who a peer is, its rights, and its bucket of requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mesh.catalog.callers import ANYONE, Caller, Callers, Method
from mesh.token_bucket import TokenBucket
from supervisor.callers.metrics import CallerCounts, CallerMetrics
from supervisor.callers.peer import Peer


@dataclass(frozen=True, slots=True, eq=False)
class GameCaller:
    """A caller of one game. `position` is its place in the catalog; `bucket` is None for one without a limit."""

    game: str
    name: str
    rights: Caller
    position: int
    bucket: TokenBucket | None
    counts: CallerCounts
    methods: frozenset[Method] = field(init=False)
    pins: frozenset[str] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "methods", frozenset(self.rights.methods))
        object.__setattr__(self, "pins", None if self.rights.pins is None else frozenset(self.rights.pins))


class GameCallers:
    """The callers of `game`, by their names and tokens. Buckets of `before` stay if their limits are the same."""

    def __init__(self, game: str, callers: Callers, metrics: CallerMetrics, before: GameCallers | None = None) -> None:
        buckets = {one.name: one.bucket for one in before} if before is not None else {}
        self._all = tuple(
            GameCaller(game, name, rights, position, _bucket(rights, buckets.get(name)), metrics.of(game, name))
            for position, (name, rights) in enumerate(callers.items())
        )
        self._by_name = {text: one for one in self._all for text in one.rights.names}
        self._by_token = {bytes.fromhex(text): one for one in self._all for text in one.rights.token_sha256}
        self._anyone = next((one for one in self._all if one.name == ANYONE), None)

    def __iter__(self) -> Iterator[GameCaller]:
        return iter(self._all)

    @property
    def tokens_sha256(self) -> tuple[bytes, ...]:
        """The digests of the tokens of all callers."""
        return tuple(self._by_token)

    def names_one_of(self, names: frozenset[str]) -> bool:
        """Returns whether a caller has one of `names`."""
        return not names.isdisjoint(self._by_name)

    def of(self, peer: Peer) -> GameCaller | None:
        """Returns the caller that `peer` is: by its certificate, else by its token, else `anyone`; None if no caller.

        If its certificate has the names of several callers, it is the first of them in the catalog.
        """
        found = [self._by_name[name] for name in peer.names if name in self._by_name]
        if found:
            return found[0] if len(found) == 1 else min(found, key=lambda one: one.position)
        by_token = self._by_token.get(peer.token_sha256) if peer.token_sha256 is not None else None
        return by_token or self._anyone


def _bucket(rights: Caller, before: TokenBucket | None) -> TokenBucket | None:
    per_s = rights.requests_per_s
    if per_s is None:
        return None
    burst = max(1.0, per_s) if rights.burst is None else rights.burst
    if before is not None and (before.per_s, before.burst) == (per_s, burst):
        return before
    return TokenBucket(per_s, burst)
