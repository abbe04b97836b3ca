"""W15 with its players in SQLite and in DynamoDB: two running meshes, measured in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loadtest.compare.results import figures_of
from loadtest.measurement.latency import Level, median, ratio
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Span, closed_loop
from loadtest.micro.features.table import block, serving_table
from loadtest.peers.mesh import Mesh, load_features
from loadtest.peers.system import System
from loadtest.workload_files import players_of
from loadtest.workloads import TrainedEnsemble, catalog_of, player_feature_names
from mesh.players.features import Columns, PlayerFeatures

STORES = ("sqlite", "dynamodb")
CALLERS = (1, 64, 256)
TIMEOUT_MS = 200
WARM_UP_S, SECONDS = 1.0, 4.0


@dataclass(frozen=True, slots=True)
class StoreLevel:
    """The answers at one load, and the CPU of the supervisor per answer."""

    level: Level
    supervisor_cpu_us: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """Levels by store and callers, medians of rounds; with `cache_ttl_s` 0 every request reads its player."""

    cache_ttl_s: float
    levels: Mapping[str, Mapping[int, StoreLevel]]

    def share(self, callers: int) -> float:
        """The rate with DynamoDB over the rate with SQLite."""
        return ratio(*(self.levels[store][callers].level.rps for store in reversed(STORES)))

    @property
    def best_share(self) -> float:
        """The best rate with DynamoDB over the best rate with SQLite."""
        best = {store: max(one.level.rps for one in levels.values()) for store, levels in self.levels.items()}
        return ratio(best["dynamodb"], best["sqlite"])


async def measure_throughput(ensemble: TrainedEnsemble, plan: Plan, cache_ttl_s: float) -> Throughput:
    """The medians of `plan.rounds` rounds; `workload_files.prepare` must have filled the folder of the workload."""
    rounds: list[Mapping[str, Mapping[int, StoreLevel]]] = []
    with _folders(ensemble, plan.folder, cache_ttl_s) as folders:
        await load_features(folders["sqlite"], plan.logs)
        for number in range(plan.rounds):
            await plan.begin(f"W15, cache {cache_ttl_s:g} s, round {number + 1} of {plan.rounds}")
            async with (
                Mesh().trained(ensemble, folders["sqlite"], plan.logs / "sqlite") as sqlite,
                Mesh().trained(ensemble, folders["dynamodb"], plan.logs / "dynamodb") as dynamodb,
            ):
                systems = dict(zip(STORES, (sqlite, dynamodb), strict=True))
                rounds.append(await _round(ensemble, plan, systems, number))
    return Throughput(cache_ttl_s, median(rounds))


async def _round(
    ensemble: TrainedEnsemble, plan: Plan, systems: Mapping[str, System], number: int
) -> Mapping[str, Mapping[int, StoreLevel]]:
    levels: dict[str, dict[int, StoreLevel]] = {store: {} for store in STORES}
    span = Span(WARM_UP_S, plan.seconds or SECONDS)
    for callers in CALLERS:
        for store in STORES if number % 2 else reversed(STORES):
            point = await closed_loop(systems[store], ensemble, callers, number, span, plan.logs)
            plan.report(f"{store}, {callers} callers", point)
            levels[store][callers] = StoreLevel(point.level, figures_of(point).part_cpu_us["supervisor"])
    return levels


@contextmanager
def _folders(ensemble: TrainedEnsemble, root: Path, cache_ttl_s: float) -> Iterator[Mapping[str, Path]]:
    """A folder with a catalog for each store, next to the forests of both; the table is served until the block ends."""
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
