"""Recorder: keeps references to answers, at next to no cost, until a block is made of them."""

from __future__ import annotations

from collections import Counter

from supervisor.answers import Answer
from supervisor.decisions.pending import REQUEST_BYTES, Pending, Unvoted, voted_of
from supervisor.decisions.version_log import VersionLog
from supervisor.outcomes.outcome import Outcome
from supervisor.party import Settled
from supervisor.ticket import Ticket

SHARE = 4  # of the memory of a log, a quarter is for what waits here
FULL = "buffer-full"
OUTCOME_BYTES = 512


class GameRecorder:
    """What one game has to log. Drops records when they take more than their share of the memory."""

    def __init__(self, game: str) -> None:
        self.game = game
        self.dropped: Counter[str] = Counter()
        self._filling = Pending()
        self._resting = Pending()
        self._max_bytes = 0

    @property
    def size_bytes(self) -> int:
        """The memory of what waits, roughly."""
        return self._filling.size_bytes + self._resting.size_bytes

    def allow(self, max_bytes: int) -> None:
        """Sets the memory of the log."""
        self._max_bytes = max_bytes // SHARE

    def take(self, least: int) -> Pending:
        """Returns the records that rest since the last call, and lets the newer ones rest if `least` requests wait.

        An answer that is settled goes to its caller in the next turn of the event loop at the latest; so the tickets of
        these records have their `total_s`, unless their callers have left.
        """
        taken, self._resting = self._resting, Pending()
        if self._filling.requests >= least:
            self._resting, self._filling = self._filling, Pending()
        return taken

    def add_settled(self, log: VersionLog, settled: Settled) -> None:
        """Adds requests that were answered from votes."""
        if self.size_bytes >= self._max_bytes:
            self.dropped[FULL] += len(settled.seats)
            return
        voted, filling = voted_of(log, settled), self._filling
        filling.voted.append(voted)
        filling.requests += len(voted.seats)
        filling.size_bytes += voted.size_bytes

    def add_unvoted(self, log: VersionLog, ticket: Ticket, answer: Answer) -> None:
        """Adds a request whose models were not asked."""
        if self.size_bytes >= self._max_bytes:
            self.dropped[FULL] += 1
            return
        self._filling.unvoted.append(Unvoted(log, ticket, answer))
        self._filling.size_bytes += REQUEST_BYTES

    def record_outcome(self, outcome: Outcome) -> bool:
        """Adds an outcome to the log; returns False if it has no room."""
        if self.size_bytes >= self._max_bytes:
            return False
        self._filling.outcomes.append(outcome)
        self._filling.size_bytes += OUTCOME_BYTES
        return True


class VersionRecorder:
    """Records the answers of one version: a tap of its parties, and its log of answers."""

    def __init__(self, log: VersionLog, game: GameRecorder) -> None:
        self._log = log
        self._game = game

    def settled(self, settled: Settled) -> None:
        """Records requests that were answered from votes; `record` comes for each of them that goes to its caller."""
        self._game.add_settled(self._log, settled)

    def record(self, ticket: Ticket, answer: Answer) -> None:
        """Records an answer that no votes made."""
        if not answer.is_from_votes:
            self._game.add_unvoted(self._log, ticket, answer)
