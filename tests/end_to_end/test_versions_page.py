"""The commands of docs/versions.md work, in their order, against a running mesh."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mesh.cli.main import main
from tests.forests import FEATURES, train
from tests.started_mesh import StartedMesh, started_mesh

pytestmark = pytest.mark.whole_machine

PAGE = Path(__file__).parents[2] / "docs" / "versions.md"
BLOCKS = re.findall(r"^```(sh|yaml)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
PATIENCE_S = 30.0
CATALOG = """# The game of docs/versions.md
game: arena
budget_ms: 5000
features: {path: players.sqlite, timeout_ms: 1000}
versions:
  "2026-11":
    traffic: 100
    combine: {quorum: 1}
    models:
      - {name: whales, uri: models/2026-11/whales.txt}
      - {name: joiners, uri: models/2026-11/joiners.txt}
"""
PLAYERS = [f"p{number}" for number in range(60)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The game with the models of both versions and its players; the current folder of the commands."""
    for version, kinds in (("2026-11", ("binary", "regression")), ("2026-12", ("rf", "dart"))):
        models = tmp_path / "models" / version
        models.mkdir(parents=True)
        for kind, name in zip(kinds, ("whales", "joiners"), strict=True):
            train(kind, models).path.rename(models / f"{name}.txt")
    names = ",".join(f"Column_{column}" for column in range(FEATURES))
    cells = np.random.default_rng(5).normal(size=(len(PLAYERS), FEATURES)).clip(-2, 2)  # as in the training
    rows = [",".join((player, *map(str, row))) for player, row in zip(PLAYERS, cells.tolist(), strict=True)]
    (tmp_path / "players.csv").write_text("\n".join((f"player_id,{names}", *rows)) + "\n")
    (tmp_path / "mesh.yaml").write_text(CATALOG)
    monkeypatch.chdir(tmp_path)
    assert main(["features", "load", "players.csv", "--catalog", "mesh.yaml"]) == 0
    return tmp_path


@pytest.fixture
def mesh(folder: Path) -> Iterator[StartedMesh]:
    with started_mesh(folder / "mesh.yaml", "--json", environment={"TMPDIR": str(folder)}) as mesh:
        assert mesh.ready
        yield mesh


def options_of(mesh: StartedMesh, command: str) -> list[str]:
    """The options that a command needs because the ports of this mesh are free ones."""
    endpoints = str(Path(mesh.ready["logs"]) / "endpoints.json")
    return {
        "verify": ["--address", mesh.address, "--workers", endpoints],
        "compare": ["--metrics", mesh.ready["metrics"]],
        "status": ["--metrics", mesh.ready["metrics"]],
    }.get(command, [])


def versions_of(mesh: StartedMesh, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """Asks for each player; returns the number of players of each version."""
    capsys.readouterr()
    found: dict[str, int] = {}
    for player in PLAYERS[:20]:
        assert main(["score", "--game", "arena", "--player", player, "--address", mesh.address, "--json"]) == 0
        version = json.loads(capsys.readouterr().out)["version"]
        found[version] = found.get(version, 0) + 1
    return found


def until_shared(versions: int, mesh: StartedMesh, capsys: pytest.CaptureFixture[str]) -> None:
    """Waits until so many versions answer."""
    until(lambda: len(versions_of(mesh, capsys)) == versions)


def until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.1)


def test_commands_of_the_page(folder: Path, mesh: StartedMesh, capsys: pytest.CaptureFixture[str]) -> None:
    catalog = folder / "mesh.yaml"
    shares = {"2026-12=10": 2, "2026-12=50": 2, "2026-12=100": 1, "2026-11=100": 1}
    for kind, text in BLOCKS:
        if kind == "yaml" and text.startswith("versions:"):
            shadowed = text.replace("traffic: 0\n", "traffic: 0\n    shadow: 100\n")
            catalog.write_text(CATALOG.partition("versions:")[0] + shadowed)
            mesh.stderr.line("a new catalog is in force")
            until(lambda: '"joiners": [{"address"' in endpoints_of(mesh, "2026-12"))
        for line in text.splitlines() if kind == "sh" else ():
            program, command, *words = shlex.split(line)
            assert program == "mesh"
            if command == "compare":
                versions_of(mesh, capsys)  # for the shadow to score
            assert main([command, *words, *options_of(mesh, command)]) == 0, line
            if command == "compare":  # the page removes the shadow here
                catalog.write_text(catalog.read_text().replace("    shadow: 100\n", ""))
            if command == "traffic":
                until_shared(shares[words[1]], mesh, capsys)
    assert versions_of(mesh, capsys) == {"2026-11": 20}


def endpoints_of(mesh: StartedMesh, version: str) -> str:
    tree = json.loads((Path(mesh.ready["logs"]) / "endpoints.json").read_text())
    return json.dumps(tree["arena"].get(version, {}))


def test_plan_and_guard_of_the_page_are_valid(folder: Path) -> None:
    (plan,) = (text for kind, text in BLOCKS if kind == "yaml" and text.startswith("rollout:"))
    (versions,) = (text for kind, text in BLOCKS if kind == "yaml" and text.startswith("versions:"))
    planned = versions.replace("    traffic: 0\n", "".join(f"    {line}\n" for line in plan.splitlines()))
    versions_without_golden = re.sub(r", golden: [^}]*", "", planned)
    (folder / "planned.yaml").write_text(CATALOG.partition("versions:")[0] + versions_without_golden)
    assert main(["catalog", "check", "planned.yaml", "--quick"]) == 0
