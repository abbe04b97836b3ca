"""W15 with its players in SQLite and in DynamoDB: two meshes side by side, asked in turns."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loadtest.bench.trained import cost_of
from loadtest.features.table import block, serving_table
from loadtest.latency import Level, median_level, ratio
from loadtest.measuring import Point, Span, closed_loop
from loadtest.peers import mesh
from loadtest.peers.system import System
from loadtest.plan import Plan
from loadtest.training import players_of
from loadtest.workloads import TrainedEnsemble, catalog_of, player_feature_names
from mesh.players.features import Columns, PlayerFeatures

STORES = ("sqlite", "dynamodb")
CALLERS = (1, 64, 256)
TIMEOUT_MS = 200
WARM_UP_S, SECONDS = 1.0, 4.0


@dataclass(frozen=True, slots=True)
class StoreLevel:
    """What was answered at one load; CPU is the supervisor's, of one answer."""

    level: Level
    supervisor_cpu_us: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """By store and callers, medians of rounds; `cache_ttl_s` 0 is a read for every request."""

    cache_ttl_s: float
    levels: Mapping[str, Mapping[int, StoreLevel]]

    def share(self, callers: int) -> float:
        """Requests a second with DynamoDB over those with SQLite."""
        return ratio(*(self.levels[store][callers].level.rps for store in reversed(STORES)))

    @property
    def best_share(self) -> float:
        """The same of the best load of each."""
        best = {store: max(one.level.rps for one in levels.values()) for store, levels in self.levels.items()}
        return ratio(best["dynamodb"], best["sqlite"])


async def measure_throughput(ensemble: TrainedEnsemble, plan: Plan, cache_ttl_s: float) -> Throughput:
    """The medians of `plan.rounds` rounds; `training.prepare` must have filled the workload's folder."""
    points: dict[str, dict[int, list[Point]]] = {store: {callers: [] for callers in CALLERS} for store in STORES}
    with _folders(ensemble, plan.folder, cache_ttl_s) as folders:
        await mesh.load_features(folders["sqlite"], plan.logs)
        for number in range(plan.rounds):
            await plan.begin(f"W15, cache {cache_ttl_s:g} s, round {number + 1} of {plan.rounds}")
            async with (
                mesh.trained(ensemble, folders["sqlite"], plan.logs / "sqlite") as files,
                mesh.trained(ensemble, folders["dynamodb"], plan.logs / "dynamodb") as table,
            ):
                systems = dict(zip(STORES, (files, table), strict=True))
                for callers in CALLERS:
                    for store in STORES if number % 2 else reversed(STORES):
                        point = await _ask(ensemble, plan, systems[store], callers, number)
                        plan.tell(f"{store}, {callers} callers", point)
                        points[store][callers].append(point)
    levels = {store: {callers: _median(of) for callers, of in loads.items()} for store, loads in points.items()}
    return Throughput(cache_ttl_s, levels)


async def _ask(ensemble: TrainedEnsemble, plan: Plan, system: System, callers: int, number: int) -> Point:
    span = Span(WARM_UP_S, plan.seconds or SECONDS)
    return await closed_loop(system, ensemble, callers, number, span, plan.logs)


def _median(points: list[Point]) -> StoreLevel:
    cpu_us = statistics.median(cost_of(point).supervisor_cpu_us for point in points)
    return StoreLevel(median_level([point.level for point in points]), cpu_us)


@contextmanager
def _folders(ensemble: TrainedEnsemble, root: Path, cache_ttl_s: float) -> Iterator[Mapping[str, Path]]:
    """A folder with a catalog for each store, beside the forests that both serve; the table is up meanwhile."""
    folders = {store: root / f"{ensemble.game}-{store}" for store in STORES}
    for store, folder in folders.items():
        folder.mkdir(exist_ok=True)
        (root / "logs" / store).mkdir(parents=True, exist_ok=True)
    columns = Columns(tuple(player_feature_names(ensemble)), ())
    players = (
        (player, PlayerFeatures(row.astype("<f8").tobytes(), (), 1.7e9)) for player, row in players_of(ensemble).items()
    )
    with serving_table(root / "logs", "packed", columns, players) as table:
        for store, folder in folders.items():
            features: Any = {"store": "sqlite", "path": "players.sqlite", "timeout_ms": TIMEOUT_MS}
            if store == "dynamodb":
                features = block("packed", columns, table.endpoint, TIMEOUT_MS)
            catalog = {**catalog_of(ensemble), "features": {**features, "cache_ttl_s": cache_ttl_s}}
            (folder / "mesh.yaml").write_text(yaml.safe_dump(catalog, sort_keys=False))
        players_csv = root / ensemble.game / "players.csv"
        (folders["sqlite"] / "players.csv").write_bytes(players_csv.read_bytes())
        yield folders
