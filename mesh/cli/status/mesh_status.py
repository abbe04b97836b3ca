"""The state of a mesh over an interval, computed from the supervisor's metrics at its two ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mesh.catalog.deployment.names import SHARED
from mesh.cli.metrics_page import Page
from mesh.cli.status.game_status import GameStatus, games
from mesh.cli.status.interval import Interval
from mesh.cli.status.quantiles import quantile
from mesh.cli.status.shadow_status import ShadowStatus, shadows

STAGES = ("queue", "features", "fan_out", "combine")


@dataclass(frozen=True, slots=True)
class EnsembleStatus:
    """One version of a game. Times and the mean cohort size are None if there were no requests.

    `share` is the share of the players who get the version, 0 to 1; None if the supervisor does not report it.
    `guard_tripped`: whether another version has its players, because its answers broke its guard.
    While a version waits for replicas, other versions serve its players.
    """

    game: str
    version: str
    answers_per_s: dict[str, float]
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    stages_ms: dict[str, float | None]
    mean_cohort: float | None
    waiting: int
    share: float | None = None
    guard_tripped: bool = False
    waits_for_replicas: bool = False


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model of a version, or a member: then `version` is `shared`. `misses_per_s` counts missing votes.

    `sha256` is the digest of the file that new rows go to (None: no replica is up), `files` the replicas that are up by
    the digest of their file, `engines` the same by scoring engine.
    `lanes_out` are up, but receive no rows because their replicas are late or failing. `second_try_rows_per_s` were
    sent to a second replica, and `second_try_wins_per_s` counts those of its replies that came before the first.
    """

    game: str
    version: str
    model: str
    lanes_up: int
    lanes: int
    lanes_out: int
    rows_waiting: int
    rows_outstanding: int
    second_try_rows_per_s: float
    second_try_wins_per_s: float
    misses_per_s: float
    sha256: str | None = None
    engines: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """All ensembles and models of a mesh, and its supervisor."""

    ensembles: list[EnsembleStatus]
    models: list[ModelStatus]
    cohorts_under_way: int
    starved_share: float
    shadows: list[ShadowStatus] = field(default_factory=list)
    games: list[GameStatus] = field(default_factory=list)


def status(interval: Interval) -> MeshStatus:
    """Returns the status: rates and times over the interval, and the gauges at its end."""
    page = interval.after
    return MeshStatus(
        [_ensemble(interval, *pair) for pair in _ensembles(page) if _is_served(interval, *pair)],
        [_model(interval, *triple) for triple in _models(page)],
        int(page.total("mesh_cohorts_under_way")),
        page.total("mesh_starved_share"),
        list(shadows(interval)),
        list(games(page)),
    )


def filtered(whole: MeshStatus, text: str) -> MeshStatus:
    """Returns the models whose game/version/model contains `text`, and their ensembles."""
    if not text:  # also the versions without replicas
        return whole
    models = [one for one in whole.models if text in f"{one.game}/{one.version}/{one.model}"]
    pairs = {(one.game, one.version) for one in models}
    sharing = {game for game, version in pairs if version == SHARED}
    ensembles = [one for one in whole.ensembles if (one.game, one.version) in pairs or one.game in sharing]
    shown = {game for game, _ in pairs}
    return replace(whole, ensembles=ensembles, models=models, games=[one for one in whole.games if one.game in shown])


def _ensembles(page: Page) -> Iterable[tuple[str, str]]:
    lanes = [one for one in page.find("mesh_lanes") if one.labels["version"] != SHARED]
    samples = (*lanes, *page.find("mesh_requests_waiting"), *page.find("mesh_requests_total"))
    return dict.fromkeys((one.labels["game"], one.labels["version"]) for one in samples)


def _is_served(interval: Interval, game: str, version: str) -> bool:
    """Whether the version is in the catalog, or still has answers: the counters of a removed version stay."""
    reported = list(interval.after.find("mesh_traffic_share", game=game))
    in_catalog = not reported or any(one.labels["version"] == version for one in reported)
    return in_catalog or interval.increase("mesh_requests_total", game=game, version=version) > 0


def _models(page: Page) -> Iterable[tuple[str, str, str]]:
    labels = (sample.labels for sample in page.find("mesh_lanes"))
    return dict.fromkeys((one["game"], one["version"], one["model"]) for one in labels)


def _ensemble(interval: Interval, game: str, version: str) -> EnsembleStatus:
    name = {"game": game, "version": version}
    buckets = interval.buckets("mesh_request_seconds", **name)
    sources = {sample.labels["source"] for sample in interval.after.find("mesh_requests_total", **name)}
    return EnsembleStatus(
        game,
        version,
        answers_per_s={one: interval.rate("mesh_requests_total", source=one, **name) for one in sorted(sources)},
        p50_ms=_in_ms(quantile(buckets, 0.5)),
        p95_ms=_in_ms(quantile(buckets, 0.95)),
        p99_ms=_in_ms(quantile(buckets, 0.99)),
        stages_ms={stage: _in_ms(interval.mean("mesh_stage_seconds", stage=stage, **name)) for stage in STAGES},
        mean_cohort=interval.mean("mesh_cohort_requests", **name),
        waiting=int(interval.after.total("mesh_requests_waiting", **name)),
        share=next((one.value for one in interval.after.find("mesh_traffic_share", **name)), None),
        guard_tripped=interval.after.total("mesh_guard_tripped", **name) > 0,
        waits_for_replicas=interval.after.total("mesh_version_waiting", **name) > 0,
    )


def _model(interval: Interval, game: str, version: str, model: str) -> ModelStatus:
    name = {"game": game, "version": version, "model": model}
    page = interval.after
    in_use = [one.labels["sha256"] for one in page.find("mesh_model_file_in_use", **name) if one.value]
    files = _by_label(page, "sha256", name)
    return ModelStatus(
        **name,
        lanes_up=int(page.total("mesh_lanes", state="up", **name)),
        lanes=int(page.total("mesh_lanes", **name)),
        lanes_out=int(page.total("mesh_lanes_out", **name)),
        rows_waiting=int(page.total("mesh_rows_waiting", **name)),
        rows_outstanding=int(page.total("mesh_rows_outstanding", **name)),
        second_try_rows_per_s=interval.rate("mesh_second_try_rows_total", **name),
        second_try_wins_per_s=interval.rate("mesh_second_try_wins_total", **name),
        misses_per_s=_misses_per_s(interval, game, version, model),
        sha256=next(iter((*in_use, *files)), None),
        engines=_by_label(page, "engine", name),
        files=files,
    )


def _by_label(page: Page, label: str, name: Mapping[str, str]) -> dict[str, int]:
    """The replicas of a model that are up, by `label`."""
    counts: Counter[str] = Counter()
    for one in page.find("mesh_model_replicas", **name):
        counts[one.labels[label]] += int(one.value)
    return dict(counts)


def _misses_per_s(interval: Interval, game: str, version: str, model: str) -> float:
    """The missing votes per second; those of a member are the sum over the versions without a model of their own."""
    if version != SHARED:
        return interval.rate("mesh_model_misses_total", game=game, version=version, model=model)
    voted = {one.labels["version"] for one in interval.after.find("mesh_model_misses_total", game=game, model=model)}
    own = {one.labels["version"] for one in interval.after.find("mesh_lanes", game=game, model=model)}
    names = voted - own | {version}
    return sum(interval.rate("mesh_model_misses_total", game=game, version=name, model=model) for name in names)


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
