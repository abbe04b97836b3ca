"""Restart policy of a child process: how long to wait after it ended before it is started again.

A function of values instead of a `mesh.back_off.BackOff`, because the pause depends on how each run ended: 0 s after a
process that was ready, 30 s after a refusal. On one machine the pauses need no jitter.
"""

from __future__ import annotations

from dataclasses import dataclass

REFUSED = 3  # the exit code of a program that cannot serve the model it was given
UNFED = 4  # the same, because features of the model have no source

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
REFUSED_PAUSE_S = 30.0
STEADY_AFTER_S = 10.0


@dataclass(frozen=True, slots=True)
class Exit:
    """How one run of a process ended. `code` is the negative signal number if a signal ended it.

    `last_lines` are the last lines of its log.
    """

    code: int
    ran_s: float
    was_ready: bool
    last_lines: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the program cannot serve the model it was given, so that a quick restart would not help."""
        return self.code in (REFUSED, UNFED) and not self.was_ready

    @property
    def lasts(self) -> bool:
        """Whether the program refuses its model until the file changes. A source of a feature may appear meanwhile."""
        return self.refused and self.code == REFUSED


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The restart state of one process; `next_pause_s` is None if the process has not ended recently."""

    next_pause_s: float | None = None

    def after(self, end: Exit) -> tuple[float, RestartPolicy]:
        """Returns the pause before the next start, in seconds, and the next state.

        The first restart of a process that was ready is immediate. The pause doubles with each end that comes before
        the process has run for `STEADY_AFTER_S`.
        """
        if end.refused:
            return REFUSED_PAUSE_S, RestartPolicy()
        planned_s = None if end.ran_s >= STEADY_AFTER_S else self.next_pause_s
        if planned_s is None and end.was_ready:
            return 0.0, RestartPolicy(FIRST_PAUSE_S)
        pause_s = planned_s or FIRST_PAUSE_S
        return pause_s, RestartPolicy(min(2 * pause_s, LONGEST_PAUSE_S))
