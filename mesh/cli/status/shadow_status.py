"""The state of the shadows of a mesh over an interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.cli.status.interval import Interval

_OUTCOMES = "mesh_shadow_requests_total"


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """A shadow of one version: another version, or a model without a vote as VERSION/MODEL.

    `others_per_s` are sampled requests that were not compared. `same_best` is the share of the ranked requests with the
    same best offer; None if there were no ranked requests.
    """

    game: str
    version: str
    shadow: str
    compared_per_s: float
    others_per_s: float
    same_best: float | None


def shadows(interval: Interval) -> Iterator[ShadowStatus]:
    """Yields the status of every shadow."""
    found = (sample.labels for sample in interval.after.find(_OUTCOMES))
    for game, version, shadow in dict.fromkeys((one["game"], one["version"], one["shadow"]) for one in found):
        pair = {"game": game, "version": version, "shadow": shadow}
        compared = interval.rate(_OUTCOMES, outcome="compared", **pair)
        ranked = interval.increase("mesh_shadow_ranked_total", **pair)
        same = interval.increase("mesh_shadow_same_best_total", **pair)
        share = same / ranked if ranked else None
        others = max(0.0, interval.rate(_OUTCOMES, **pair) - compared)
        yield ShadowStatus(**pair, compared_per_s=compared, others_per_s=others, same_best=share)
