"""The commands of the worked example in docs/decisions-log.md work, in their order, against a running mesh."""

from __future__ import annotations

import json
import re
import shlex
import time
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pytest

from mesh.cli.main import main
from tests.forests import PLATFORMS, fit, pandas_frame
from tests.started_mesh import StartedMesh, started_mesh

pytestmark = pytest.mark.whole_machine

PAGE = (Path(__file__).parents[2] / "docs" / "decisions-log.md").read_text(encoding="utf-8")
EXAMPLE = PAGE.partition("## A worked example")[2]
QUERIES = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = re.findall(r"^```(sh|yaml)\n(.*?)^```$", EXAMPLE, re.MULTILINE | re.DOTALL)
PATIENCE_S = 60.0
REFERENCE = "models/2026-11/reference.json"
PLAYERS = [f"p{number}" for number in range(60)]
NUMBERS = ("f0", "f2", "f3", "f5")
OFFERS = "offer_id,price,tier\nsmall,1.99,10\nmiddle,4.99,30\nlarge,19.99,50\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The game with the models of both versions and its players; the current folder of the commands."""
    for seed, version in enumerate(("2026-11", "2026-12")):
        (tmp_path / "models" / version).mkdir(parents=True)
        for part, name in enumerate(("whales", "joiners")):
            train(tmp_path / "models" / version / f"{name}.txt", 2 * seed + part)
    pandas_frame(np.random.default_rng(9), 2000).to_parquet(tmp_path / "training.parquet")
    cells = np.random.default_rng(5).normal(size=(len(PLAYERS), len(NUMBERS))).tolist()
    rows = [",".join((player, *map(str, row))) for player, row in zip(PLAYERS, cells, strict=True)]
    (tmp_path / "players.csv").write_text("\n".join((f"player_id,{','.join(NUMBERS)}", *rows)) + "\n")
    (tmp_path / "offers.csv").write_text(OFFERS)
    (catalog,) = (text for kind, text in BLOCKS if kind == "yaml")
    patient = catalog.replace("game: arena\n", "game: arena\nbudget_ms: 5000\n")  # the machine of the tests is busy
    (tmp_path / "mesh.yaml").write_text(patient.replace("players.sqlite}", "players.sqlite, timeout_ms: 1000}"))
    monkeypatch.chdir(tmp_path)
    assert main(["features", "load", "players.csv", "--catalog", "mesh.yaml"]) == 0
    return tmp_path


def train(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pandas_frame(rng, 600)
    likes = frame["platform"].isin(PLATFORMS[:2]).to_numpy() + (frame["tier"].astype(float) < 35).to_numpy()
    labels = (np.nan_to_num(frame["f0"].to_numpy()) + likes + rng.normal(size=600) > 2).astype(np.float64)
    fit(frame, labels, {"objective": "binary", "min_data_per_group": 5, "cat_smooth": 1}).save_model(path)


@pytest.fixture
def mesh(folder: Path) -> Iterator[StartedMesh]:
    with started_mesh(folder / "mesh.yaml", "--json", environment={"TMPDIR": str(folder)}) as mesh:
        assert mesh.ready
        yield mesh


def options_of(mesh: StartedMesh, command: str, words: list[str]) -> list[str]:
    """The options that a command needs because the ports of this mesh are free ones."""
    if command in ("offer", "outcome"):
        return ["--address", mesh.address]
    return ["--metrics", mesh.ready["metrics"]] if command == "drift" and words[0] != "reference" else []


def offer(mesh: StartedMesh, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    """Asks for the best offer; returns the answer."""
    capsys.readouterr()
    assert main(["offer", *words, "--address", mesh.address, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def write_outcomes(mesh: StartedMesh, capsys: pytest.CaptureFixture[str], file: Path) -> None:
    """Shows an offer to each player, and writes the outcomes of a day: every third player buys."""
    rows = []
    for place, player in enumerate(PLAYERS):
        platform = f"platform={PLATFORMS[place % 3]}"
        id_ = offer(mesh, capsys, "--game", "arena", "--player", player, "--context", platform)["decision_id"]
        rows.append({"decision_id": id_, "kind": "shown"})
        if place % 3 == 0:
            rows.append({"decision_id": id_, "kind": "purchased", "value": 4.99, "currency": "EUR"})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.2)


def test_commands_of_the_example(folder: Path, mesh: StartedMesh, capsys: pytest.CaptureFixture[str]) -> None:
    decision, outputs = "", dict[str, str]()
    for line in (line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()):
        program, command, *words = shlex.split(line.replace("ID", decision))
        assert program == "mesh"
        if "--file" in words:
            write_outcomes(mesh, capsys, folder / "outcomes.jsonl")
        if command == "offer":
            decision = str(offer(mesh, capsys, *words)["decision_id"])
            continue
        if command == "decisions" and words[0] == "show":
            until(partial(is_in_log, decision))
        if command == "decisions" and words[0] == "report":
            until(lambda: decisions_of(capsys) >= len(PLAYERS))
        if command == "drift" and words[0] != "reference":
            name_reference(folder, mesh)
            write_outcomes(mesh, capsys, folder / "more.jsonl")  # whose requests are compared with the reference
        capsys.readouterr()
        code = main([command, *words, *options_of(mesh, command, words)])
        outputs[line] = capsys.readouterr().out
        assert code == 0 or (line.startswith("mesh drift --") and code == 1), line
    check(outputs, folder)
    check_queries()


def is_in_log(decision: str) -> bool:
    return main(["decisions", "show", decision, "log"]) == 0


def decisions_of(capsys: pytest.CaptureFixture[str]) -> int:
    """The number of decisions in the log that are not pinned."""
    capsys.readouterr()
    assert main(["decisions", "report", "log", "--json"]) == 0
    return sum(group["decisions"] for group in json.loads(capsys.readouterr().out)["groups"])


def name_reference(folder: Path, mesh: StartedMesh) -> None:
    """Names the reference in the version, as the page says, and waits until it is in force."""
    catalog = folder / "mesh.yaml"
    named = catalog.read_text().replace("    traffic: 50\n", f"    traffic: 50\n    reference: {REFERENCE}\n", 1)
    catalog.write_text(named)
    mesh.stderr.line("a new catalog is in force")
    until(partial(has_reference, mesh))


def has_reference(mesh: StartedMesh) -> bool:
    address = f"http://{mesh.ready['metrics']}/drift"
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        return b"2026-11" in answer.read()


def check(outputs: dict[str, str], folder: Path) -> None:
    """The commands show the facts of the example."""
    (shown,) = (text for line, text in outputs.items() if line.startswith("mesh decisions show"))
    assert "version 2026-11: pinned by the caller" in shown
    assert "purchased" in shown
    assert "19.99 EUR" in shown
    (why,) = (text for line, text in outputs.items() if line.startswith("mesh explain ID"))
    assert "difference" in why
    assert "The contributions add up to" in why
    assert '"type":"waterfall"' in (folder / "why.html").read_text(encoding="utf-8")
    (replay,) = (text for line, text in outputs.items() if line == "mesh decisions replay log")
    assert "all equal to the log, to the bit" in replay
    (drift,) = (text for line, text in outputs.items() if line.startswith("mesh drift --"))
    assert "2026-11" in drift
    (report,) = (text for line, text in outputs.items() if line.startswith("mesh decisions report"))
    assert all(name in report for name in ("2026-11", "2026-12", "holdout"))


def check_queries() -> None:
    """The queries of the page find rows in a log that supervisors wrote."""
    of_arena = {"'dragonfall'": "'arena'", "2026-11-01": "2020-01-01", "2026-11-30": "2099-12-31", "'level'": "'f0'"}
    for query in QUERIES:
        for name, mine in of_arena.items():
            query = query.replace(name, mine)
        with duckdb.connect() as connection:
            assert connection.execute(query).fetchall(), query
