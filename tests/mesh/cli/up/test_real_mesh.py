"""The `mesh` command with a real supervisor and real workers."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mesh.cli.main import main
from tests.forests import FEATURES, train
from tests.started_mesh import StartedMesh, started_mesh

CATALOG = """game: arena
budget_ms: 5000
features: {path: players.sqlite, timeout_ms: 1000}
versions:
  "1":
    combine: {quorum: 1}
    models:
      - {name: first, uri: binary.txt}
      - {name: second, uri: regression.txt}
"""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catalog(tmp_path_factory.mktemp("arena"))


def make_catalog(folder: Path) -> Path:
    """A game with two models and the player `anna`, whose features are 0, 1, 2 and so on."""
    for kind in ("binary", "regression"):
        train(kind, folder)
    names = ",".join(f"Column_{column}" for column in range(FEATURES))
    (folder / "players.csv").write_text(f"player_id,{names}\nanna,{','.join(map(str, range(FEATURES)))}\n")
    (folder / "mesh.yaml").write_text(CATALOG)
    assert main(["features", "load", str(folder / "players.csv"), "--catalog", str(folder / "mesh.yaml")]) == 0
    return folder / "mesh.yaml"


@pytest.fixture(scope="module")
def mesh(catalog: Path) -> Iterator[StartedMesh]:
    # The mesh keeps its logs, because a test kills a process.
    with started_mesh(catalog, "--json", environment={"TMPDIR": str(catalog.parent)}) as mesh:
        assert mesh.ready
        yield mesh
        assert mesh.stop(signal.SIGINT) == 0
        assert mesh.stdout.rest() == ""
        assert "Traceback" not in mesh.stderr.rest()


def score(address: str) -> int:
    return main(["score", "--game", "arena", "--player", "anna", "--address", address, "--json"])


def test_ready_mesh_answers_with_every_model(
    mesh: StartedMesh, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = np.arange(float(FEATURES)).reshape(1, -1)
    scores = [train(kind, catalog.parent).scores(row)[0] for kind in ("binary", "regression")]

    assert score(mesh.address) == 0

    answer = json.loads(capsys.readouterr().out)
    assert (answer["source"], answer["score"]) == ("ENSEMBLE", np.mean(scores))


def test_status_shows_a_lane_to_every_worker(mesh: StartedMesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--metrics", mesh.ready["metrics"], "--once", "--json"]) == 0

    models = json.loads(capsys.readouterr().out)["models"]
    assert {(model["model"], model["lanes_up"], model["lanes"]) for model in models} == {
        ("first", 1, 1),
        ("second", 1, 1),
    }


def test_changed_catalog_is_reported(mesh: StartedMesh, catalog: Path) -> None:
    text = catalog.read_text()

    catalog.write_text(text.replace("quorum: 1", "quorum: 3"))
    assert "the new catalog is refused, the one before stays in force" in mesh.stderr.line("arena: ")

    catalog.write_text(text)
    assert "a new catalog is in force; traffic: 1 100 %" in mesh.stderr.line("arena: ")


def test_killed_supervisor_is_back_at_its_address(mesh: StartedMesh, capsys: pytest.CaptureFixture[str]) -> None:
    os.kill(mesh.ready["supervisor"]["pid"], signal.SIGKILL)
    mesh.stderr.line("supervisor ended after")

    while score(mesh.address) != 0:
        capsys.readouterr()

    assert json.loads(capsys.readouterr().out)["version"] == "1"


def test_wrong_request_is_reported_in_one_line(mesh: StartedMesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offer", "--game", "nobody", "--player", "anna", "--address", mesh.address]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("not found: game: 'nobody'")


def test_damaged_model_file_takes_only_its_own_version_out(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damaged = catalog.with_name("damaged.yaml")
    other = '  "2": {traffic: 50, models: [{name: first, uri: damaged.txt}]}\n'
    damaged.write_text(CATALOG.replace('  "1":\n', '  "1":\n    traffic: 50\n') + other)
    catalog.with_name("damaged.txt").write_text("damaged")
    with started_mesh(damaged, "--json") as mesh:
        assert {worker["state"] for worker in mesh.ready["workers"]} == {"ready", "refused"}
        assert "versions.2.models[0].uri" in mesh.stderr.line("damaged.yaml")
        for _ in range(10):
            assert score(mesh.address) == 0
            answer = json.loads(capsys.readouterr().out)
            assert (answer["version"], answer["source"]) == ("1", "ENSEMBLE")


def test_game_without_a_version_that_can_be_served_starts_no_process(catalog: Path) -> None:
    damaged = catalog.with_name("damaged.yaml")
    damaged.write_text(CATALOG.replace("quorum: 1", "quorum: 2").replace("binary.txt", "missing.txt"))
    with started_mesh(damaged, "--json") as mesh:
        assert mesh.process.wait(30) == 2
        assert "missing.txt is missing; train the model, or correct the path" in mesh.stderr.rest()
