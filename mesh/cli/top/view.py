"""The view model of `mesh top`: everything that the screen or `--json` shows, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mesh.catalog.deployment.names import SHARED
from mesh.cli.status.game_status import GameStatus
from mesh.cli.status.interval import Interval
from mesh.cli.status.mesh_status import STAGES, EnsembleStatus, MeshStatus, ModelStatus, filtered, status
from mesh.cli.status.quantiles import quantile
from mesh.cli.status.shadow_status import ShadowStatus
from mesh.cli.top.callers import CallerView, callers
from mesh.cli.top.combined import combined
from mesh.cli.top.drift import DriftView, drifts
from mesh.cli.top.scrapes import Scrape
from mesh.cli.top.supervisors import SupervisorView, supervisor


@dataclass(frozen=True, slots=True)
class Spread:
    """The time of a stage, in milliseconds."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of a game. `stages` has no entry for a stage without requests; `reasons` are answers per second.

    `rows_per_s` are the rows that each of its models scores.
    """

    ensemble: EnsembleStatus
    stages: dict[str, Spread]
    reasons: dict[str, float]
    rows_per_s: float


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model. `lanes` are those that are up, and all, by supervisor in the order of the addresses.

    `replicas` are up at the supervisor that has the most lanes. `misses_share` are the missing votes as a share of the
    answers, `hedges_share` the rows that were sent a second time as a share of all rows; None without answers.
    """

    model: ModelStatus
    replicas: int
    lanes: list[tuple[int, int]]
    misses_share: float | None
    hedges_share: float | None


@dataclass(frozen=True, slots=True)
class MeshView:
    """A mesh over the latest second, and its supervisors. Without an answer of any supervisor, only these."""

    supervisors: list[SupervisorView]
    versions: list[VersionView] = field(default_factory=list)
    models: list[ModelView] = field(default_factory=list)
    games: list[GameStatus] = field(default_factory=list)
    callers: list[CallerView] = field(default_factory=list)
    shadows: list[ShadowStatus] = field(default_factory=list)
    drifts: list[DriftView] = field(default_factory=list)
    catalogs: dict[str, int] = field(default_factory=dict)
    decisions_dropped_per_s: float = 0.0
    calls_refused_per_s: float = 0.0


def view(scrapes: Sequence[Scrape], now_s: float, text: str = "") -> MeshView:
    """Returns the view of the scrapes at the Unix time `now_s`; of the models, those that `text` selects."""
    spans = [scrape.span for scrape in scrapes if scrape.span is not None]
    alone = [None if scrape.span is None else combined([scrape.span]) for scrape in scrapes]
    found = [supervisor(one, interval, now_s) for one, interval in zip(scrapes, alone, strict=True)]
    if not spans:
        return MeshView(found)
    intervals = [interval for interval in alone if interval is not None]
    whole = intervals[0] if len(intervals) == 1 else combined(spans)
    mesh = filtered(status(whole), text)
    versions = [_version(whole, one) for one in mesh.ensembles]
    return MeshView(
        found,
        versions,
        [_model(one, intervals, versions) for one in mesh.models],
        mesh.games,
        list(callers(whole)),
        [one for one in mesh.shadows if not text or _is_shown(one, mesh)],
        [one for one in drifts(whole) if not text or _is_shown(one, mesh)],
        _catalogs(whole),
        whole.rate("mesh_decisions_dropped_total"),
        whole.rate("mesh_calls_refused_total"),
    )


def _is_shown(one: ShadowStatus | DriftView, mesh: MeshStatus) -> bool:
    return any((one.game, one.version) == (shown.game, shown.version) for shown in mesh.ensembles)


def _version(whole: Interval, one: EnsembleStatus) -> VersionView:
    name = {"game": one.game, "version": one.version}
    reasons: dict[str, float] = {}
    for sample in whole.after.find("mesh_requests_total", **name):
        if sample.value and sample.labels["reason"] != "none":
            reasons[sample.labels["reason"]] = reasons.get(sample.labels["reason"], 0.0) + sample.value
    return VersionView(one, _stages(whole, name), reasons, whole.rate("mesh_cohort_rows_sum", **name))


def _stages(whole: Interval, name: dict[str, str]) -> dict[str, Spread]:
    found = {}
    for stage in STAGES:
        buckets = whole.buckets("mesh_stage_seconds", stage=stage, **name)
        p50, p99 = quantile(buckets, 0.5), quantile(buckets, 0.99)
        if p50 is not None and p99 is not None:
            found[stage] = Spread(p50 * 1000, p99 * 1000)
    return found


def _model(one: ModelStatus, intervals: Sequence[Interval], versions: Sequence[VersionView]) -> ModelView:
    name = {"game": one.game, "version": one.version, "model": one.model}
    lanes = []
    for interval in intervals:
        page = interval.after
        lanes.append((int(page.total("mesh_lanes", state="up", **name)), int(page.total("mesh_lanes", **name))))
    voting = [version for version in versions if _votes(one, version.ensemble)]
    answers = sum(sum(version.ensemble.answers_per_s.values()) for version in voting)
    rows = sum(version.rows_per_s for version in voting)
    return ModelView(
        one,
        max(up for up, _ in lanes),
        lanes,
        one.misses_per_s / answers if answers else None,
        one.second_try_rows_per_s / rows if rows else None,
    )


def _votes(model: ModelStatus, version: EnsembleStatus) -> bool:
    """Whether the model votes for the version; a member votes for versions of its game."""
    return model.game == version.game and model.version in (version.version, SHARED)


def _catalogs(whole: Interval) -> dict[str, int]:
    """The number of different catalogs in force, by game."""
    found: dict[str, set[str]] = {}
    for sample in whole.after.find("mesh_catalog_in_force"):
        if sample.value:
            found.setdefault(sample.labels["game"], set()).add(sample.labels["digest"])
    return {game: len(digests) for game, digests in found.items()}
