"""The game of the changes: its files, the states of its catalog, and the expected answers of each state."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loadtest.measurement.plan import Plan
from loadtest.workload_files import prepare, train
from loadtest.workloads import Forests, TrainedEnsemble, catalog_of
from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from mesh.reference.oracle import Oracle
from mesh.reference.players import SqlitePlayers
from mesh.sha256 import sha256_of
from supervisor.traffic import Traffic

MODELS = 4  # of a version
FORESTS = Forests("versions-forests", count=3 * MODELS + 1, trees=50, leaves=15, features=12)
OTHER_FORESTS = Forests("versions-other-forests", count=1, trees=5, leaves=7, features=15)
ENSEMBLE = TrainedEnsemble(
    "versions",
    "two versions of 4 models, 100 offers",
    FORESTS,
    models=MODELS,
    offers=100,
    offer_features=3,
    players=200,
    budget_ms=1000,
    quorum=3,
)
IN_PLACE = "in-place.txt"  # the first model of v2; a step replaces the file
FORESTS_OF = {"v1": (0, 1, 2, 3), "v2": (4, 5, 6, 7), "v2-replaced": (12, 5, 6, 7), "v3": (8, 9, 10, 11)}
TABLES = ("offers.csv", "other-offers.csv")


@dataclass(frozen=True, slots=True)
class State:
    """What the mesh should serve: the traffic, the forests of v2 (a key of `FORESTS_OF`), the table of offers."""

    traffic: Mapping[str, float]
    second: str = "v2"
    table: str = TABLES[0]

    def variant(self, version: str) -> str:
        """The key of the forests that `version` has in this state."""
        return self.second if version == "v2" else version


class VersionsGame:
    """The folder of the game, with the catalog `mesh.yaml` that the mesh follows."""

    def __init__(self, plan: Plan) -> None:
        prepare(ENSEMBLE, plan.folder, plan.progress)
        train(OTHER_FORESTS, plan.folder / OTHER_FORESTS.name, plan.progress)
        self.folder = plan.folder / ENSEMBLE.game
        self._forests = plan.folder / FORESTS.name
        (self.folder / "corrupt.txt").write_text("tree\nversion=v4\n\nTree=0\n")
        shutil.copy(plan.folder / OTHER_FORESTS.name / "00.txt", self.folder / "other-features.txt")
        self._tables = [self._table(number) for number in range(len(TABLES))]
        self.put_model("v2")
        self.put_table(TABLES[0])

    def write(self, state: State, uri: str = IN_PLACE, **changes: Any) -> None:
        """Replaces the catalog by that of `state`; `uri` is the first model of v2, `changes` are keys of the file."""
        tree = {**self.tree(state), **changes}
        if uri != IN_PLACE:
            first = tree["versions"]["v2"]["models"][0]
            first["uri"] = uri
            del first["sha256"]
        _replace(self.folder / "mesh.yaml", yaml.safe_dump(tree, sort_keys=False))

    def tree(self, state: State) -> dict[str, Any]:
        """The catalog of `state`."""
        versions = {name: self._version(state, name, traffic) for name, traffic in state.traffic.items()}
        return {**catalog_of(ENSEMBLE), "versions": versions}

    def put_model(self, second: str) -> None:
        """Replaces the first model of v2 in place by that of `second`."""
        _replace(self.folder / IN_PLACE, self._forest(second).read_text())

    def put_table(self, table: str) -> None:
        """Replaces the table of offers."""
        _replace(self.folder / TABLES[0], self._tables[TABLES.index(table)])

    def _version(self, state: State, name: str, traffic: float) -> dict[str, Any]:
        models: list[dict[str, Any]] = [
            {"name": f"m{place:02d}", "uri": f"../{FORESTS.name}/{number:02d}.txt"}
            for place, number in enumerate(FORESTS_OF[name])
        ]
        if name == "v2":
            models[0] = {"name": "m00", "uri": IN_PLACE, "sha256": sha256_of(self._forest(state.second))}
        return {"traffic": traffic, "combine": {"kind": "mean", "quorum": ENSEMBLE.quorum}, "models": models}

    def _forest(self, second: str) -> Path:
        return self._forests / f"{FORESTS_OF[second][0]:02d}.txt"

    def _table(self, number: int) -> str:
        """The first table is that of the workload; the second has its features in the reverse order of the offers."""
        header, *rows = (self.folder / TABLES[0]).read_text().splitlines()
        if number:
            cells = [row.partition(",") for row in rows]
            rows = [f"{mine[0]},{other[2]}" for mine, other in zip(cells, reversed(cells), strict=True)]
        return "\n".join((header, *rows)) + "\n"


class Expected:
    """The expected answers, by state. Make it when the mesh has ended: it writes the tables of the game."""

    def __init__(self, game: VersionsGame) -> None:
        self._game = game
        self._traffics: dict[tuple[tuple[str, float], ...], Traffic] = {}
        self._oracles = {table: self._oracle(table) for table in TABLES}

    def version_of(self, state: State, player_id: str) -> str:
        """The version of a player in `state`."""
        return self._traffic(state).version_of(player_id)

    def oracle(self, table: str) -> Oracle:
        """The scores with one of the tables, of the versions in `FORESTS_OF`."""
        return self._oracles[table]

    def _traffic(self, state: State) -> Traffic:
        key = tuple(state.traffic.items())
        if key not in self._traffics:
            self._traffics[key] = Traffic(self._load(self._game.tree(state), "traffic.yaml"))
        return self._traffics[key]

    def _oracle(self, table: str) -> Oracle:
        folder = self._game.folder / "expected"
        folder.mkdir(exist_ok=True)
        self._game.put_table(table)
        shutil.copy(self._game.folder / TABLES[0], folder / table)
        tree = self._game.tree(State({"v1": 100}))
        versions = {
            name: {
                "traffic": 100 if name == "v1" else 0,
                "combine": {"kind": "mean", "quorum": ENSEMBLE.quorum},
                "models": [
                    {"name": f"m{place:02d}", "uri": f"../{FORESTS.name}/{number:02d}.txt"}
                    for place, number in enumerate(numbers)
                ],
            }
            for name, numbers in FORESTS_OF.items()
        }
        offers = {**tree["offers"], "path": f"expected/{table}"}
        catalog = self._load({**tree, "versions": versions, "offers": offers}, f"expected-{table}.yaml")
        return Oracle(catalog, SqlitePlayers(self._game.folder / "players.sqlite"), lambda _: {})

    def _load(self, tree: Mapping[str, Any], name: str) -> Catalog:
        path = self._game.folder / name
        path.write_text(yaml.safe_dump(dict(tree)))
        return catalogs.load(path)


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
