"""The panel: every model of a version, asked at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from mesh.players.features import Columns
from supervisor.ballot import Ballot
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows


@dataclass(frozen=True, slots=True)
class Vote:
    """A model scored every row of the cohort."""

    model: str


@dataclass(frozen=True, slots=True)
class Absence:
    """A model did not score every row of the cohort, and why."""

    model: str
    reason: str


Reply = Vote | Absence


@dataclass(frozen=True, slots=True)
class Panel:
    """The models of one version, in catalog order."""

    pools: tuple[ModelPool, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(pool.model.name for pool in self.pools)


async def ask_panel(panel: Panel, rows: CohortRows, columns: Columns, ballot: Ballot, deadline_s: float) -> list[Reply]:
    """Asks every model of `panel` to score `rows` into `ballot` by `deadline_s` (monotonic).

    One reply per model, in panel order: a slow or failing model loses its own vote and costs no neighbour theirs.
    Raises nothing but bugs.
    """
    legs = [pool.score(rows, columns, ballot, index, deadline_s) for index, pool in enumerate(panel.pools)]
    failures = await asyncio.gather(*legs)
    return [
        Vote(model) if failure is None else Absence(model, failure.reason)
        for model, failure in zip(panel.models, failures, strict=True)
    ]
