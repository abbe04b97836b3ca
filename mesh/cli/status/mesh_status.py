"""What a mesh is doing: computed from two looks at the supervisor's metrics page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mesh.cli.metrics_page import Page
from mesh.cli.status.quantiles import Bucket, quantile

STAGES = ("queue", "features", "fan_out", "combine")


@dataclass(frozen=True, slots=True)
class EnsembleStatus:
    """One version of a game. Times and the mean cohort are None while nothing is asked."""

    game: str
    version: str
    answers_per_s: dict[str, float]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    stages_ms: dict[str, float | None]
    mean_cohort: float | None
    waiting: int


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model of a version; `misses_per_s` counts the votes that did not come, for whatever reason."""

    game: str
    version: str
    model: str
    lanes_up: int
    lanes: int
    rows_waiting: int
    rows_outstanding: int
    misses_per_s: float


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """All of it."""

    ensembles: list[EnsembleStatus]
    models: list[ModelStatus]
    cohorts_under_way: int
    starved_share: float


@dataclass(frozen=True, slots=True)
class Looks:
    """Two pages of one supervisor, `seconds` apart."""

    before: Page
    after: Page
    seconds: float

    def gained(self, name: str, **labels: str) -> float:
        """How much a counter grew; one that started anew grew from 0."""
        before, after = self.before.total(name, **labels), self.after.total(name, **labels)
        return after - before if after >= before else after

    def per_s(self, name: str, **labels: str) -> float:
        """The rate of a counter."""
        return self.gained(name, **labels) / self.seconds

    def mean(self, name: str, **labels: str) -> float | None:
        """The mean of what a histogram observed."""
        count = self.gained(f"{name}_count", **labels)
        return self.gained(f"{name}_sum", **labels) / count if count else None

    def buckets(self, name: str, **labels: str) -> list[Bucket]:
        """What a histogram observed, as cumulative counts by upper bound."""
        bounds = {sample.labels["le"] for sample in self.after.find(f"{name}_bucket", **labels)}
        return [
            (float(bound), self.gained(f"{name}_bucket", **labels, le=bound)) for bound in sorted(bounds, key=float)
        ]


def status(looks: Looks) -> MeshStatus:
    """What happened between the two looks."""
    page = looks.after
    return MeshStatus(
        [_ensemble(looks, *pair) for pair in _ensembles(page)],
        [_model(looks, *triple) for triple in _models(page)],
        int(page.total("mesh_cohorts_under_way")),
        page.total("mesh_starved_share"),
    )


def _ensembles(page: Page) -> Iterable[tuple[str, str]]:
    samples = (*page.find("mesh_lanes"), *page.find("mesh_requests_total"))
    return dict.fromkeys((one.labels["game"], one.labels["version"]) for one in samples)


def _models(page: Page) -> Iterable[tuple[str, str, str]]:
    labels = (sample.labels for sample in page.find("mesh_lanes"))
    return dict.fromkeys((one["game"], one["version"], one["model"]) for one in labels)


def _ensemble(looks: Looks, game: str, version: str) -> EnsembleStatus:
    name = {"game": game, "version": version}
    buckets = looks.buckets("mesh_request_seconds", **name)
    sources = {sample.labels["source"] for sample in looks.after.find("mesh_requests_total", **name)}
    return EnsembleStatus(
        game,
        version,
        answers_per_s={one: looks.per_s("mesh_requests_total", source=one, **name) for one in sorted(sources)},
        p50_ms=_in_ms(quantile(buckets, 0.5)),
        p95_ms=_in_ms(quantile(buckets, 0.95)),
        p99_ms=_in_ms(quantile(buckets, 0.99)),
        stages_ms={stage: _in_ms(looks.mean("mesh_stage_seconds", stage=stage, **name)) for stage in STAGES},
        mean_cohort=looks.mean("mesh_cohort_requests", **name),
        waiting=int(looks.after.total("mesh_requests_waiting", **name)),
    )


def _model(looks: Looks, game: str, version: str, model: str) -> ModelStatus:
    name = {"game": game, "version": version, "model": model}
    page = looks.after
    return ModelStatus(
        **name,
        lanes_up=int(page.total("mesh_lanes", state="up", **name)),
        lanes=int(page.total("mesh_lanes", **name)),
        rows_waiting=int(page.total("mesh_rows_waiting", **name)),
        rows_outstanding=int(page.total("mesh_rows_outstanding", **name)),
        misses_per_s=looks.per_s("mesh_model_misses_total", **name),
    )


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
