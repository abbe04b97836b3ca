"""Panel: the models of one version, which are asked at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mesh.players.features import Columns
from supervisor.ballot import Ballot
from supervisor.inputs import COMPLETE, Gaps, VersionInputs
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows


@dataclass(frozen=True, slots=True)
class Panel:
    """The model pools of one version, in catalog order, and the check of their inputs."""

    pools: tuple[ModelPool, ...]
    inputs: VersionInputs | None = None

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models."""
        return tuple(pool.model.name for pool in self.pools)

    def gaps(self, rows: CohortRows) -> list[Gaps]:
        """Returns the gaps in the inputs of each request of a cohort, and counts them."""
        if self.inputs is None:
            return [COMPLETE] * len(rows.passengers)
        plans = dict.fromkeys(pool.plan for pool in self.pools)
        return self.inputs.gaps(tuple(plan for plan in plans if plan is not None), rows)


async def ask_panel(panel: Panel, rows: CohortRows, columns: Columns, ballot: Ballot, deadline_s: float) -> None:
    """Asks every model of `panel` to score `rows`, and waits until each has voted or failed.

    The votes, and the reasons of models that did not vote, are in `ballot`. `deadline_s` is monotonic. A slow or
    failing model loses only its own vote: a failure is the result of its future, never an exception.
    """
    await asyncio.gather(
        *(pool.start_vote(rows, columns, ballot, index, deadline_s) for index, pool in enumerate(panel.pools))
    )
