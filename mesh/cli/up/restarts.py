"""How long a process that ended stays down before it is started again."""

from __future__ import annotations

from dataclasses import dataclass

REFUSED = 3  # the exit code with which a program says that what it was given cannot be served

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
REFUSED_PAUSE_S = 30.0
STEADY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run of a process ended; `code` is minus the signal's number if a signal ended it.

    `last_lines` are the last that it wrote to its log.
    """

    code: int
    ran_s: float
    was_ready: bool
    last_lines: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether it said that it cannot serve what it was given, so that haste would not help."""
        return self.code == REFUSED and not self.was_ready


@dataclass(frozen=True, slots=True)
class Restarts:
    """What a process that ends again and again has to wait; `None`: it has not ended of late."""

    next_pause_s: float | None = None

    def after(self, ended: Ended) -> tuple[float, Restarts]:
        """The pause before the next start, in seconds, and the state that follows.

        The first restart of a process that was ready is immediate; each one that follows before it has run
        for `STEADY_AFTER_S` doubles the pause.
        """
        if ended.refused:
            return REFUSED_PAUSE_S, Restarts()
        planned_s = None if ended.ran_s >= STEADY_AFTER_S else self.next_pause_s
        if planned_s is None and ended.was_ready:
            return 0.0, Restarts(FIRST_PAUSE_S)
        pause_s = planned_s or FIRST_PAUSE_S
        return pause_s, Restarts(min(2 * pause_s, LONGEST_PAUSE_S))
