"""Outcomes with real processes: `mesh offer`, `mesh outcome`, and the log after the drain."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.decisions.log import open_log
from tests.end_to_end.exploring_game import GAME, ExploringGame, build_game
from tests.end_to_end.meshes import running
from tests.started_mesh import MESH, StartedMesh

pytestmark = pytest.mark.whole_machine


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outcomes") / "log"


@pytest.fixture(scope="module")
def game(log: Path) -> ExploringGame:
    return build_game(log.parent / "game", {"kind": "epsilon", "share": 1, "top": 2}, 50, log)


@pytest.fixture
def mesh(game: ExploringGame) -> Iterator[StartedMesh]:
    with running(game.catalog) as started:
        yield started


def run(mesh: StartedMesh, *words: str) -> dict[str, object]:
    command = [*MESH, *words, "--game", GAME, "--address", mesh.address, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_outcomes_from_the_command_line_are_in_the_log_after_the_drain(
    game: ExploringGame, log: Path, mesh: StartedMesh, tmp_path: Path
) -> None:
    players = game.players.ids[:3]
    decisions = [str(run(mesh, "offer", "--player", player)["decision_id"]) for player in players]
    paid = ("--kind", "purchased", "--value", "4.99", "--currency", "USD")
    assert run(mesh, "outcome", decisions[0], *paid)["duplicate"] is False
    assert run(mesh, "outcome", decisions[0], *paid)["duplicate"] is True
    file = tmp_path / "shown.csv"
    file.write_text("decision_id,kind\n" + "".join(f"{one},shown\n" for one in decisions))
    result = run(mesh, "outcome", "--file", str(file))
    assert (result["taken"], result["duplicates"], result["wrong"]) == (3, 0, 0)
    mesh.stop()
    with open_log(str(log)) as opened:
        rows = opened.read(opened.outcomes_of_decisions(GAME)).to_pylist()
    found = sorted((row["decision_id"], row["kind"], row["value"]) for row in rows)
    assert found == sorted([(decisions[0], "purchased", 4.99), *((one, "shown", None) for one in decisions)])
