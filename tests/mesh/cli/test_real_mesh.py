"""The command with the real supervisor and real workers behind it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any

import numpy as np
import pytest

from mesh.cli.main import main
from tests.forests import FEATURES, train

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
    """A game of two models whose player `anna` has the features 0, 1, 2..."""
    folder = tmp_path_factory.mktemp("arena")
    for kind in ("binary", "regression"):
        train(kind, folder)
    names = ",".join(f"Column_{column}" for column in range(FEATURES))
    (folder / "players.csv").write_text(f"player_id,{names}\nanna,{','.join(map(str, range(FEATURES)))}\n")
    (folder / "mesh.yaml").write_text(CATALOG)
    assert main(["features", "load", str(folder / "players.csv"), "--catalog", str(folder / "mesh.yaml")]) == 0
    return folder / "mesh.yaml"


class RealMesh:
    """A running `mesh up`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stdout, self.stderr = _pipe(process.stdout), _pipe(process.stderr)
        self.ready: dict[str, Any] = json.loads(self.stdout.readline())

    def score(self, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        flags = ["--game", "arena", "--player", "anna", "--address", self.ready["address"], "--json"]
        assert main(["score", *flags]) == 0
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        return answer


@pytest.fixture(scope="module")
def mesh(catalog: Path) -> Iterator[RealMesh]:
    command = [
        sys.executable,
        "-m",
        "mesh.cli.main",
        "up",
        str(catalog),
        "--port",
        "0",
        "--metrics-port",
        "0",
        "--json",
    ]
    environment = {**os.environ, "TMPDIR": str(catalog.parent)}  # logs are kept where a process was killed
    with subprocess.Popen(command, text=True, env=environment, stdout=PIPE, stderr=PIPE) as process:
        try:
            running = RealMesh(process)
            yield running
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert running.stdout.read() == ""
            assert "Traceback" not in running.stderr.read()
        finally:
            process.kill()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def test_at_its_ready_line_the_mesh_answers_with_every_model(
    mesh: RealMesh, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = np.arange(float(FEATURES)).reshape(1, -1)
    scores = [train(kind, catalog.parent).scores(row)[0] for kind in ("binary", "regression")]

    answer = mesh.score(capsys)

    assert (answer["source"], answer["score"]) == ("ENSEMBLE", np.mean(scores))


def test_status_shows_a_lane_to_every_worker(mesh: RealMesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--metrics", mesh.ready["metrics"], "--once", "--json"]) == 0

    models = json.loads(capsys.readouterr().out)["models"]
    assert {(model["model"], model["lanes_up"], model["lanes"]) for model in models} == {
        ("first", 1, 1),
        ("second", 1, 1),
    }


def test_a_killed_supervisor_is_back_at_its_address(mesh: RealMesh, capsys: pytest.CaptureFixture[str]) -> None:
    os.kill(mesh.ready["supervisor"]["pid"], signal.SIGKILL)
    assert "supervisor ended after" in mesh.stderr.readline()

    address = mesh.ready["address"]
    while main(["score", "--game", "arena", "--player", "anna", "--address", address, "--json"]) != 0:
        capsys.readouterr()

    assert json.loads(capsys.readouterr().out)["version"] == "1"


def test_a_wrong_request_is_one_clear_line(mesh: RealMesh, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offer", "--game", "nobody", "--player", "anna", "--address", mesh.ready["address"]]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("not found: game: 'nobody'")
