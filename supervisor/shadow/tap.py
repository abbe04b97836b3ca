"""Tap: hands the answered requests of one version over to its shadows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.catalog.catalog import Catalog
from supervisor.answers import Source
from supervisor.combine import Scores
from supervisor.panel import Panel
from supervisor.party import Seat, Settled
from supervisor.ranking import Ranking
from supervisor.shadow.metrics import Outcome, ShadowMetrics
from supervisor.shadow.sample import Sample, SampleQueue
from supervisor.shadow.target import Pair, ShadowTarget, shadow_members, shadow_version


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

    def settled(self, settled: Settled) -> None:
        """Samples the requests that were answered with scores."""
        for seat, votes, answer in zip(settled.seats, settled.counts, settled.answers, strict=True):
            if votes.scores is not None and answer.source is not Source.FALLBACK:
                self._sample(seat, votes.scores, bool(votes.missing), settled)

    def _sample(self, seat: Seat, scores: Scores, is_partial: bool, settled: Settled) -> None:
        ticket = seat.ticket
        for pair in self.pairs:
            if not pair.target.samples(ticket.player_id):
                continue
            if self.queue.is_full:
                pair.metrics.count(Outcome.QUEUE_FULL)
                continue
            sample = Sample(
                pair,
                settled.rows.columns,
                seat.player.features,
                ticket.passenger,
                scores.copy(),  # a view would keep the scores of the whole cohort in memory
                is_ranked=ticket.scored_row is None,
                is_partial=is_partial,
                fan_out_s=settled.fan_out_s,
                sampled_s=time.monotonic(),
            )
            self.queue.add(sample)
