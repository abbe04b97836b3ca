"""Tap: hands the answered requests of one version over to its shadows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.catalog import Catalog
from mesh.players.features import Columns, PlayerFeatures
from supervisor.panel import Panel
from supervisor.ranking import Ranking
from supervisor.shadow.metrics import Outcome, ShadowMetrics
from supervisor.shadow.sample import Sample, SampleQueue
from supervisor.shadow.target import Pair, ShadowTarget, shadow_members, shadow_version
from supervisor.ticket import Ticket


def open_taps(
    catalog: Catalog,
    panels: Mapping[str, Panel],
    ranking: Ranking | None,
    metrics: ShadowMetrics,
    queue: SampleQueue,
) -> dict[str, ShadowTap]:
    """Returns the tap of each version that has shadows, by name. `panels` are those of all versions."""
    versions = [
        shadow_version(catalog, name, panels[name], ranking)
        for name, version in catalog.versions.items()
        if version.shadow
    ]

    def pair(name: str, target: ShadowTarget) -> Pair:
        return Pair(target, metrics.of(catalog.game, name, target.name, target.panel.models))

    def targets(name: str) -> list[ShadowTarget]:
        others = [one for one in versions if one.name != name]
        return [*others, *shadow_members(catalog, name, panels[name], ranking)]

    return {
        name: ShadowTap([pair(name, one) for one in found], queue)
        for name in catalog.versions
        if (found := targets(name))
    }


@dataclass(frozen=True, slots=True, eq=False)
class ShadowTap:
    """Queues the requests that the shadows of a version sample. `pairs` has one pair for each shadow."""

    pairs: Sequence[Pair]
    queue: SampleQueue

    def answered(
        self,
        ticket: Ticket,
        columns: Columns,
        player: PlayerFeatures | None,
        scores: NDArray[np.float64],
        is_partial: bool,
        fan_out_s: float,
    ) -> None:
        """Samples a request that was answered with `scores` of its rows [rows]."""
        for pair in self.pairs:
            if not pair.target.samples(ticket.player_id):
                continue
            if self.queue.is_full:
                pair.metrics.count(Outcome.QUEUE_FULL)
                continue
            # A copy: a view would keep the scores of the whole cohort in memory.
            kept, is_ranked = scores.copy(), ticket.scored_row is None
            sampled_s = time.monotonic()
            self.queue.add(
                Sample(pair, columns, player, ticket.passenger, kept, is_ranked, is_partial, fan_out_s, sampled_s)
            )
