"""Gate: refuses what the peer of a call may not do, before the request is parsed if possible."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, Protocol

from mesh.catalog.callers import METHODS, Method
from mesh.catalog.catalog import Catalog
from mesh.errors import NotAllowed, OverQuota
from mesh.refusal_log import RefusalLog, shown
from supervisor.callers.game_callers import GameCaller, GameCallers
from supervisor.callers.metrics import SEVERAL_GAMES, UNKNOWN, CallerMetrics, Result
from supervisor.callers.peer import Call
from supervisor.callers.recognition import Admission, Recognition, Unrecognised

Rpc = Literal["GetOffer", "StreamOffers", "Score", "ReportOutcome", "StreamOutcomes"]
_log = logging.getLogger("supervisor.callers")
_STREAMS: tuple[Rpc, ...] = ("StreamOffers", "StreamOutcomes")
_METHODS: Mapping[Rpc, Method] = {**{method: method for method in METHODS}, "StreamOutcomes": "ReportOutcome"}


class CalledGame(Protocol):
    """A game with its catalog. `Game` implements it."""

    @property
    def catalog(self) -> Catalog:
        """The catalog in force."""
        ...

    @property
    def callers(self) -> GameCallers | None:
        """The callers of that catalog; None if everybody may call."""
        ...


class CallerGate:
    """Admits the calls of peers that the catalogs of `games` name. Call `refresh` after each change of a catalog.

    `has_tls`: no port is plaintext. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        games: Mapping[str, CalledGame],
        metrics: CallerMetrics,
        *,
        has_tls: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._games = games
        self._metrics = metrics
        self._has_tls = has_tls
        self._clock = clock
        self._log = RefusalLog(_log, clock)
        self.refresh()

    def refresh(self) -> None:
        """Reads the callers of the catalogs in force."""
        callers = [game.callers for game in self._games.values() if game.callers is not None]
        has_open_game = len(callers) < len(self._games)
        self._recognition = Recognition(callers, has_open_game=has_open_game, has_tls=self._has_tls)
        self._unknown = self._metrics.of(_only(self._games) or SEVERAL_GAMES, UNKNOWN)
        self._is_open = not callers

    @property
    def is_open(self) -> bool:
        """Whether everybody may do everything, because no catalog has callers."""
        return self._is_open

    def admit(self, call: Call, rpc: Rpc) -> Admission | None:
        """Returns the admission of a call whose request need not have been read; None if the gate is open.

        Raises Unauthenticated or NotAllowed. Raises OverQuota, too, for a unary call whose caller belongs to one game.
        """
        if self._is_open:
            return None
        try:
            admission = self._recognition.of(call)
        except Unrecognised as error:
            self._unknown.count(Result.UNKNOWN)
            self._log.report(error.kind, partial(_described, rpc, call, error.names))
            raise
        if _METHODS[rpc] not in admission.methods:
            caller = admission.callers[0]  # without one, an open game would allow every method
            raise self._refused(caller, "method", f"{rpc}: caller {caller.name} may not call it; {_fix(rpc)}")
        if admission.is_of_one_game and rpc not in _STREAMS:
            self._charge(admission.callers[0])
        return admission

    def enter(self, game: CalledGame, admission: Admission | None, rpc: Rpc, version: str = "") -> GameCaller | None:
        """Returns the caller that sends a request for `game` and, if it is not empty, for `version`.

        Returns None if everybody may send it. Raises NotAllowed, or OverQuota if `admit` has not counted the request.
        """
        if game.callers is None or admission is None:  # admitted before the catalog had callers
            return None
        caller = game.callers.of(admission.peer)
        if caller is None:
            raise self._refused_game(admission, game.catalog.game)
        if _METHODS[rpc] not in caller.methods:
            problem = f"{rpc}: caller {caller.name} may not call it for {caller.game}"
            raise self._refused(caller, "method", f"{problem}; {_fix(rpc)}")
        if version and caller.pins is not None and version not in caller.pins:
            text = f"version: caller {caller.name} may not name this one for {caller.game}; leave it empty"
            raise self._refused(caller, "version", text)
        if not admission.is_of_one_game or rpc in _STREAMS:
            self._charge(caller)
        return caller

    def _charge(self, caller: GameCaller) -> None:
        """Counts a request of `caller`. Raises OverQuota."""
        if caller.bucket is None:
            return
        wait_s = caller.bucket.take(self._clock())
        if wait_s > 0:
            caller.counts.count(Result.OVER_QUOTA)
            quota = f"caller {caller.name} may send {caller.bucket.per_s:g} requests/s for {caller.game}"
            self._log.report(f"over quota, {caller.game}/{caller.name}", lambda: quota)
            raise OverQuota(f"over quota: {quota}; send the next one in {math.ceil(1000 * wait_s)} ms", wait_s)

    def _refused_game(self, admission: Admission, game: str) -> NotAllowed:
        caller = admission.caller
        name = f"caller {caller.name}" if caller is not None else "the peer"
        text = f"game: {name} is not a caller of {game}"
        if caller is not None:
            return self._refused(caller, "game", text)
        self._metrics.of(game, UNKNOWN).count(Result.NOT_ALLOWED)
        self._log.report("game", lambda: f"{text}; names in its certificate: {shown(admission.peer.names)}")
        return NotAllowed(text)

    def _refused(self, caller: GameCaller, kind: str, text: str) -> NotAllowed:
        caller.counts.count(Result.NOT_ALLOWED)
        self._log.report(f"{kind}, {caller.game}/{caller.name}", lambda: text)
        return NotAllowed(text)


def _only(games: Mapping[str, CalledGame]) -> str | None:
    return next(iter(games)) if len(games) == 1 else None


def _described(rpc: Rpc, call: Call, names: frozenset[str]) -> str:
    shows = f"names in its certificate: {shown(names)}" if names else "no names of a certificate"
    return f"{rpc} of {shown([call.peer()])}, {shows}"


def _fix(rpc: Rpc) -> str:
    return f"add {_METHODS[rpc]} to its `methods` in the catalog"
