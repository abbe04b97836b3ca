"""The supervisor's metrics of its state: lanes, rows, cohorts and catalogs (docs/metrics.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from supervisor.ensemble import Ensemble
from supervisor.inputs import MISSING, UNSEEN, VersionInputs
from supervisor.live_games import LiveGames
from supervisor.pool import ModelPool
from supervisor.waiting import Route

MAX_GAP_SERIES = 200  # of one version
_VERSION = ("game", "version")
_MODEL = (*_VERSION, "model")
_Value = tuple[Sequence[str], float]  # the values of the labels, and the value of the metric
_Pools = Sequence[tuple[Sequence[str], ModelPool]]  # with the values of the labels game, version and model


class CohortState(Protocol):
    """The state of the cohorts. `Cohorts` implements it; any thread may read it."""

    @property
    def under_way(self) -> int:
        """The number of cohorts under way."""
        ...

    def waiting(self, route: Route, version: str) -> int:
        """The number of requests of `version` that wait for a cohort on `route`."""
        ...

    def waiting_of_callers(self, route: Route) -> Mapping[str, int]:
        """The number of requests of each caller that wait for a cohort on `route`."""
        ...


class StateOnDemand(Collector):
    """Computes its metrics at each scrape: the hot path does not update them."""

    def __init__(self, games: LiveGames, cohorts: CohortState, starved: Callable[[], float]) -> None:
        self._games = games
        self._cohorts = cohorts
        self._starved = starved

    def collect(self) -> Iterable[Metric]:
        """Yields the current values. It runs on the metrics thread, so it and the functions that it calls only read."""
        yield GaugeMetricFamily("mesh_cohorts_under_way", "Cohorts under way.", self._cohorts.under_way)
        yield GaugeMetricFamily(
            "mesh_starved_share", "Share of time that the busiest thread waits for a CPU, 0 to 1.", self._starved()
        )
        yield from self._of_catalogs()
        yield from self._of_traffic()
        ensembles = list(self._ensembles())
        waiting = [(labels, self._cohorts.waiting(ensemble.route, ensemble.name)) for labels, ensemble in ensembles]
        yield _gauge("mesh_requests_waiting", "Requests that wait for a cohort.", _VERSION, waiting)
        yield _gauge(
            "mesh_caller_requests_waiting",
            "Requests of the caller that wait for a cohort.",
            ("game", "caller"),
            self._of_callers(),
        )
        gaps = [
            ((*labels, feature, gap), count)
            for labels, ensemble in ensembles
            for (feature, gap), count in _bounded(ensemble.panel.inputs)
        ]
        yield _counter(
            "mesh_input_gaps", "Requests without a known value for a feature.", (*_VERSION, "feature", "gap"), gaps
        )
        labels_of = {
            pool: (game, pool.model.home(version), pool.model.name)  # once, however many versions share it
            for (game, version), one in ensembles
            for pool in one.panel.all_pools
        }
        pools = [(labels, pool) for pool, labels in labels_of.items()]
        yield from _of_pools(pools)
        yield from _of_files(pools)

    def _of_callers(self) -> list[_Value]:
        counts: Counter[tuple[str, str]] = Counter()
        for name, game in self._games.items():
            for route in {ensemble.route for ensemble in game.ensembles.values()}:
                for caller, waiting in self._cohorts.waiting_of_callers(route).items():
                    counts[name, caller] += waiting
        return list(counts.items())

    def _of_catalogs(self) -> Iterator[Metric]:
        yield _gauge(
            "mesh_catalog_refused",
            "1 while the latest catalog has faults and the one before is in force, else 0.",
            ("game",),
            [((name,), self._games.is_refused(name)) for name in self._games],
        )
        yield _gauge(
            "mesh_catalog_pending",
            "1 while the latest catalog, or a version of it, waits for replicas, else 0.",
            ("game",),
            [((name,), self._games.is_pending(name)) for name in self._games],
        )
        yield _gauge(
            "mesh_version_waiting",
            "1 while other versions serve the players of this version, because it waits for replicas, else 0.",
            _VERSION,
            [
                ((name, version), self._games.is_waiting(name, version))
                for name, game in self._games.items()
                for version in game.ensembles
            ],
        )
        yield _gauge(
            "mesh_catalog_in_force",
            "1 for the catalog in force, by a digest of its values.",
            ("game", "digest"),
            [((name, game.digest), 1) for name, game in self._games.items()],
        )

    def _of_traffic(self) -> Iterator[Metric]:
        yield _gauge(
            "mesh_traffic_share",
            "Share of the players who get the version now, 0 to 1; the version (holdout) is the holdout.",
            _VERSION,
            self._shares(),
        )
        tripped = [
            ((name, version), version in game.guards.tripped)
            for name, game in self._games.items()
            for version in game.guards.versions
        ]
        yield _gauge(
            "mesh_guard_tripped",
            "1 after the answers of the version broke its guard, so that another version has its players, else 0.",
            _VERSION,
            tripped,
        )

    def _shares(self) -> Iterator[_Value]:
        for name, game in self._games.items():
            held_out = game.catalog.assignment.holdout / 100
            for version, share in game.traffic.shares.items():
                yield (name, version), share / 100 * (1 - held_out)
            if held_out:
                yield (name, "(holdout)"), held_out

    def _ensembles(self) -> Iterator[tuple[tuple[str, str], Ensemble]]:
        for game in self._games.values():
            for ensemble in game.ensembles.values():
                yield (game.catalog.game, ensemble.name), ensemble


def _of_pools(pools: _Pools) -> Iterator[Metric]:
    def values(of: Callable[[ModelPool], float]) -> list[_Value]:
        return [(labels, of(pool)) for labels, pool in pools]

    yield _gauge("mesh_rows_waiting", "Rows that wait for a replica.", _MODEL, values(lambda pool: pool.waiting_rows))
    yield _gauge(
        "mesh_rows_outstanding", "Rows that replicas are scoring.", _MODEL, values(lambda pool: pool.outstanding_rows)
    )
    yield _gauge("mesh_lanes", "Lanes by state.", (*_MODEL, "state"), _lanes(pools))
    yield _gauge(
        "mesh_lanes_out",
        "Lanes that receive no rows because their replica is late or failing.",
        _MODEL,
        values(lambda pool: pool.lanes_out),
    )
    yield _gauge(
        "mesh_lanes_stale",
        "Lanes whose connection was made before the latest change of the certificate.",
        _MODEL,
        values(lambda pool: pool.lanes_stale),
    )
    overdue = [((*labels, "overdue"), pool.hedged_rows) for labels, pool in pools]
    failed = [((*labels, "failed"), pool.retried_rows) for labels, pool in pools]
    yield _counter(
        "mesh_second_try_rows", "Rows sent to a second replica, by cause.", (*_MODEL, "cause"), [*overdue, *failed]
    )
    yield _counter(
        "mesh_second_try_wins",
        "Second tries that were answered before the first.",
        _MODEL,
        values(lambda pool: pool.hedge_wins),
    )


def _of_files(pools: _Pools) -> Iterator[Metric]:
    files = [((*labels, *served), count) for labels, pool in pools for served, count in pool.served().items()]
    yield _gauge(
        "mesh_model_replicas",
        "Replicas that are up, by model file and scoring engine.",
        (*_MODEL, "sha256", "engine"),
        files,
    )
    in_use = [((*labels, sha256), pool.is_in_use(sha256)) for labels, pool in pools for sha256 in _files(pool)]
    yield _gauge(
        "mesh_model_file_in_use",
        "1 if new rows go to the replicas with this model file, else 0.",
        (*_MODEL, "sha256"),
        in_use,
    )
    switches = [(labels, pool.switches) for labels, pool in pools]
    yield _counter("mesh_model_file_switches", "Changes of the model file that gets new rows.", _MODEL, switches)


def _files(pool: ModelPool) -> list[str]:
    """Returns the SHA-256 of each model file of the replicas that are up."""
    return list(dict.fromkeys(sha256 for sha256, _ in pool.served()))


def _lanes(pools: _Pools) -> Iterator[_Value]:
    for labels, pool in pools:
        states = [lane.state for lane in list(pool.lanes.values())]
        for state in ("up", "connecting", "down"):
            yield (*labels, state), states.count(state)


def _gauge(name: str, text: str, labels: Sequence[str], values: Iterable[_Value]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for names, value in values:
        family.add_metric(names, value)
    return family


def _counter(name: str, text: str, labels: Sequence[str], values: Iterable[_Value]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for names, value in values:
        family.add_metric(names, value)
    return family


def _bounded(inputs: VersionInputs | None) -> Iterator[tuple[tuple[str, str], int]]:
    """Yields the counts of gaps by feature and kind; from `MAX_GAP_SERIES` on, the features share one series a kind."""
    counts = list(inputs.counts().items()) if inputs is not None else []
    yield from counts[:MAX_GAP_SERIES]
    for kind in (MISSING, UNSEEN):
        rest = [count for (_, gap), count in counts[MAX_GAP_SERIES:] if gap == kind]
        if rest:
            yield ("(other)", kind), sum(rest)
