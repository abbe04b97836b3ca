"""Outcome desk: checks reports, finds repeated ones, and hands the others over to the log of their game."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from mesh.errors import MeshError, NotAllowed, NotFound, NotSupported, Overloaded, OverQuota
from mesh.wire import offers_pb2 as wire
from supervisor.callers.game_callers import GameCaller
from supervisor.callers.gate import CalledGame
from supervisor.callers.metrics import Result
from supervisor.outcomes.metrics import OutcomeMetrics, Refusal
from supervisor.outcomes.outcome import Outcome, outcome_of
from supervisor.outcomes.recent_ids import RecentIds
from supervisor.query import check_id


class OutcomeLog(Protocol):
    """The log of one game. `GameRecorder` implements it."""

    def record_outcome(self, outcome: Outcome) -> bool:
        """Adds an outcome to the log; returns False if it has no room. It must not wait."""
        ...


class LoggedGame(CalledGame, Protocol):
    """A game with its catalog in force. `Game` implements it."""

    @property
    def outcome_log(self) -> OutcomeLog | None:
        """The log of the game; None if its catalog has no `decisions` block."""
        ...


Enter = Callable[[LoggedGame], "GameCaller | None"]  # raises the error for the caller


class OutcomeDesk:
    """Takes the reports for `games`. `clock` returns the time in seconds since 1970."""

    def __init__(
        self, games: Mapping[str, LoggedGame], metrics: OutcomeMetrics, clock: Callable[[], float] = time.time
    ) -> None:
        self._games = games
        self._metrics = metrics
        self._clock = clock
        self._recent: dict[str, RecentIds] = {}

    def take(self, request: wire.ReportOutcomeRequest, enter: Enter = lambda _: None) -> wire.ReportOutcomeResponse:
        """Hands a report over to the log. `enter` returns the caller that may report for a game.

        Raises WrongRequest or NotFound, naming the field; NotSupported if the game has no log; Overloaded if the log
        has no room; and the errors of `enter`. These errors are counted.
        """
        try:
            return self._take_for_caller(request, enter)
        except MeshError as error:
            self._metrics.refuse(_REFUSALS.get(type(error), Refusal.WRONG))
            raise

    def shed(self) -> Overloaded:
        """Counts a report that is refused for lack of CPU, and returns the error for its caller."""
        self._metrics.refuse(Refusal.OVERLOADED)
        return Overloaded("overloaded: offers need the CPU; repeat the report with the same outcome_id after a pause")

    def _take_for_caller(self, request: wire.ReportOutcomeRequest, enter: Enter) -> wire.ReportOutcomeResponse:
        check_id("game", request.game, required=True)
        game = self._games.get(request.game)
        if game is None:
            raise NotFound(f"game: {request.game!r} is not served here; served: {', '.join(self._games)}")
        caller = enter(game)
        if caller is None:
            return self._take(request, game, None)
        try:
            response = self._take(request, game, caller.name)
        except MeshError:
            caller.counts.count(Result.WRONG)
            raise
        caller.counts.count(Result.TAKEN)
        return response

    def _take(
        self, request: wire.ReportOutcomeRequest, game: LoggedGame, caller: str | None
    ) -> wire.ReportOutcomeResponse:
        log = game.outcome_log
        if log is None:
            raise NotSupported(f"game: the catalog of {request.game} has no `decisions` block, so outcomes have no log")
        block = game.catalog.decisions
        if block is not None and "caller" in block.exclude:
            caller = None
        outcome = outcome_of(request, int(1000 * self._clock()), caller)
        if outcome.request_id is not None and block is not None and "request_id" in block.exclude:
            raise NotSupported(f"request_id: the log of {request.game} excludes request ids; set decision_id instead")
        recent = self._recent.setdefault(request.game, RecentIds())
        if outcome.outcome_id in recent:
            self._metrics.count_duplicate(request.game)
            return wire.ReportOutcomeResponse(outcome_id=outcome.outcome_id, duplicate=True)
        if not log.record_outcome(outcome):
            raise Overloaded(
                f"log: the decision log of {request.game} is full; repeat the report with the same outcome_id later"
            )
        recent.add(outcome.outcome_id)
        self._metrics.count(request.game, outcome.kind)
        return wire.ReportOutcomeResponse(outcome_id=outcome.outcome_id)


_REFUSALS = {
    NotSupported: Refusal.NO_LOG,
    Overloaded: Refusal.LOG_FULL,
    NotAllowed: Refusal.NOT_ALLOWED,
    OverQuota: Refusal.OVER_QUOTA,
}
