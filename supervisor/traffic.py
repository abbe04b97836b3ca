"""Traffic: assigns players to versions by their shares: the same version at every log-in and on every supervisor."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from mesh.catalog.catalog import Catalog
from mesh.catalog.shifts import Step, planned_version
from mesh.player_position import position, prefix
from supervisor import ranges
from supervisor.ranges import Ranges

_ALWAYS = Step(0.0, -math.inf, math.inf)


class Traffic:
    """The players of each version of one catalog, now. `clock` returns the seconds since 1970.

    The first 8 bytes of BLAKE2b-64 of `game/player_id`, or of `salt/game/player_id` with a salt, give the player's
    position in [0, 100). The versions divide this range in the order of their names, so the first and the last version
    keep their players when their share grows; a version between them may lose some. A version with a rollout takes its
    share from each of these ranges (`ranges.grow`). `holdout/` in front of the text gives a position of its own, so the
    holdout takes the same part of each version.

    If the clock steps back over the begin of a step, the players of this step go back, too: all supervisors agree again
    once their clocks do.
    """

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = time.time) -> None:
        assignment = catalog.assignment
        self._prefix = prefix(catalog.game, assignment.salt)
        self._holdout = assignment.holdout
        self._versions = tuple(catalog.versions)
        self._plan = planned_version(catalog.versions)
        self._others = ranges.divide({name: one.traffic for name, one in catalog.versions.items() if not one.rollout})
        self._clock = clock
        self._diverted: dict[str, str] = {}
        self._without: set[str] = set()
        self._before: Ranges | None = None
        self._step = self._step_now()
        self._in_force = self._ranges_in(self._step)

    @property
    def shares(self) -> dict[str, float]:
        """The percentage of players of each version now. It changes nothing, so another thread may read it."""
        return self._ranges_in(self._step_now()).shares(self._versions)

    @property
    def expected(self) -> frozenset[str]:
        """The versions that have players in the catalog now, and the one that gets players by a rollout."""
        planned = frozenset((self._plan[0],)) if self._plan is not None else frozenset()
        return planned.union(part.version for part in self._planned_in(self._step_now()).parts)

    def version_of(self, player_id: str) -> str:
        """Returns the version of a player."""
        if self._plan is not None and not self._step.start_s <= self._clock() < self._step.end_s:
            self._apply()
        table = self._in_force
        return table.only or table.at(position(self._prefix + player_id))

    def is_held_out(self, player_id: str) -> bool:
        """Returns whether a player belongs to the holdout, which gets the fallback offer."""
        return self._holdout > 0 and position(f"holdout/{self._prefix}{player_id}") < self._holdout

    def divert(self, version: str, to: str | None = None, before: Traffic | None = None) -> None:
        """Gives the players of `version` to the version `to`; None: to the others, in proportion to their shares.

        With `before`, the traffic of the catalog before, its players stay where they were, if they can.
        """
        if to is None:
            self._without.add(version)
            if before is not None and before._prefix == self._prefix:
                self._before = before._in_force
        else:
            self._diverted[version] = to
        self._apply()

    def restore(self, version: str) -> None:
        """Gives the players back to `version` that `divert` without `to` took from it."""
        self._without.discard(version)
        self._apply()

    def _apply(self) -> None:
        self._step = self._step_now()
        self._in_force = self._ranges_in(self._step)

    def _step_now(self) -> Step:
        return _ALWAYS if self._plan is None else self._plan[1].step_at(self._clock())

    def _planned_in(self, step: Step) -> Ranges:
        return self._others if self._plan is None else ranges.grow(self._others, self._plan[0], step.share)

    def _ranges_in(self, step: Step) -> Ranges:
        without = set(self._without)
        waits = self._plan is not None and self._plan[0] in without  # then it takes no players, whatever the step
        planned = self._others if waits else self._planned_in(step)
        if self._before is not None and without:
            planned = ranges.stay(planned, self._before, without)
        return ranges.divert(planned, self._versions, dict(self._diverted), without)
