"""Outcome desk: checks reports, finds repeated ones, and hands the others over to the log of their game."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from mesh.catalog.catalog import Catalog
from mesh.errors import MeshError, NotFound, NotSupported, Overloaded
from mesh.wire import offers_pb2 as wire
from supervisor.outcomes.metrics import OutcomeMetrics, Refusal
from supervisor.outcomes.outcome import Outcome, outcome_of
from supervisor.outcomes.recent_ids import RecentIds
from supervisor.query import check_id


class OutcomeLog(Protocol):
    """The log of one game. `GameRecorder` implements it."""

    def record_outcome(self, outcome: Outcome) -> bool:
        """Adds an outcome to the log; returns False if it has no room. It must not wait."""
        ...


class LoggedGame(Protocol):
    """A game with its catalog in force. `Game` implements it."""

    @property
    def catalog(self) -> Catalog:
        """The catalog."""
        ...

    @property
    def outcome_log(self) -> OutcomeLog | None:
        """The log of the game; None if its catalog has no `decisions` block."""
        ...


class OutcomeDesk:
    """Takes the reports for `games`. `clock` returns the time in seconds since 1970."""

    def __init__(
        self, games: Mapping[str, LoggedGame], metrics: OutcomeMetrics, clock: Callable[[], float] = time.time
    ) -> None:
        self._games = games
        self._metrics = metrics
        self._clock = clock
        self._recent: dict[str, RecentIds] = {}

    def take(self, request: wire.ReportOutcomeRequest) -> wire.ReportOutcomeResponse:
        """Hands a report over to the log.

        Raises WrongRequest or NotFound, naming the field; NotSupported if the game has no log; Overloaded if the log
        has no room. These errors are counted.
        """
        try:
            return self._take(request)
        except MeshError as error:
            self._metrics.refuse(_REFUSALS.get(type(error), Refusal.WRONG))
            raise

    def shed(self) -> Overloaded:
        """Counts a report that is refused for lack of CPU, and returns the error for its caller."""
        self._metrics.refuse(Refusal.OVERLOADED)
        return Overloaded("overloaded: offers need the CPU; repeat the report with the same outcome_id after a pause")

    def _take(self, request: wire.ReportOutcomeRequest) -> wire.ReportOutcomeResponse:
        check_id("game", request.game, required=True)
        game = self._games.get(request.game)
        if game is None:
            raise NotFound(f"game: {request.game!r} is not served here; served: {', '.join(self._games)}")
        log = game.outcome_log
        if log is None:
            raise NotSupported(f"game: the catalog of {request.game} has no `decisions` block, so outcomes have no log")
        outcome = outcome_of(request, int(1000 * self._clock()))
        block = game.catalog.decisions
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


_REFUSALS = {NotSupported: Refusal.NO_LOG, Overloaded: Refusal.LOG_FULL}
