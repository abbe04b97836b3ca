"""`mesh verify` against a running mesh: equal scores pass; a wrong score, a wrong input or another file fails."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.golden import GoldenRow
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players
from mesh.tls.throwaway import files_in
from tests.certificates import options_of
from tests.end_to_end.meshes import FEW, NUMBERS, TEXTS, World
from tests.golden_rows import golden_of, write
from tests.started_mesh import MESH, StartedMesh, started_mesh

pytestmark = pytest.mark.whole_machine

VERSION = "median"


@pytest.fixture
def catalog(world: World, tmp_path: Path) -> Path:
    """The catalog of the running mesh with golden rows of one version, in a folder of its own."""
    for file in world.catalog.parent.iterdir():
        if file.is_file():
            shutil.copy(file, tmp_path)
    document = yaml.safe_load(world.catalog.read_text())
    document["versions"] = {VERSION: document["versions"][VERSION] | {"traffic": 100}}
    for model in document["versions"][VERSION]["models"]:
        kind = Path(model["uri"]).stem
        model["golden"] = write(golden_of(world.forests[kind]), tmp_path / f"{kind}.golden.jsonl").name
    (path := tmp_path / "golden.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return path


Verify = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def verify(mesh: StartedMesh, catalog: Path) -> Verify:
    """Runs the command; returns its exit code, its report and its stderr."""

    def run(*options: str, file: Path = catalog) -> tuple[int, dict[str, Any], str]:
        workers = ["--workers", str(Path(mesh.ready["logs"], "endpoints.json"))]
        words = [*MESH, "verify", str(file), "--version", VERSION, "--address", mesh.address, *workers, *options]
        ended = subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=100, check=False)
        return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr

    return run


def checks(report: dict[str, Any], part: str) -> list[dict[str, str]]:
    return [check for check in report["checks"] if check["part"] == part]


def test_version_with_equal_scores_passes(verify: Verify) -> None:
    code, report, stderr = verify()
    assert (code, report["ok"]) == (0, True), stderr
    assert [check["result"] for check in checks(report, "golden rows")] == ["equal"] * len(FEW)
    (players,) = checks(report, "players")
    assert players["detail"] == "100 answers of the whole ensemble, all scores equal"
    platform = next(check for check in checks(report, "inputs") if check["subject"] == "platform")
    assert (platform["result"], "such as 'abacus'" in platform["detail"]) == ("warning", True)
    assert verify("--strict", "--players", "20")[0] == 1


def test_golden_row_with_another_score_fails_with_both_scores(verify: Verify, world: World, catalog: Path) -> None:
    golden = golden_of(world.forests["binary"])
    (score,) = golden.rows[6].scores
    rows = (*golden.rows[:6], GoldenRow(golden.rows[6].values, (0.5,)), *golden.rows[7:])
    write(replace(golden, rows=rows), catalog.with_name("binary.golden.jsonl"))
    code, report, _ = verify("--players", "0")
    assert code == 1
    (different,) = [check for check in report["checks"] if check["result"] == "different"]
    assert different["subject"].startswith("binary at unix:")
    assert different["detail"].startswith(f"golden row 7: expected 0.5, got {score!r}")


def test_worker_with_another_model_file_fails(verify: Verify, world: World, catalog: Path) -> None:
    # The worker of the same name in the running mesh has the file before this one.
    shutil.copy(world.forests["regression"].path, catalog.with_name("binary.txt"))
    golden = golden_of(world.forests["regression"])
    write(golden, catalog.with_name("binary.golden.jsonl"))
    code, report, stderr = verify("--players", "0")
    assert code == 1, stderr
    (different,) = [check for check in report["checks"] if check["result"] == "different"]
    assert different["detail"].startswith(f"the rows belong to the model file {golden.model_sha256[:12]}..., not to ")


def test_ensemble_that_combines_otherwise_fails_with_a_player(verify: Verify, catalog: Path) -> None:
    catalog.write_text(catalog.read_text().replace("kind: median", "kind: mean"))
    code, report, _ = verify()
    assert code == 1
    (players,) = checks(report, "players")
    assert "answers differ from LightGBM; player 'player-" in players["detail"]
    assert "expected " in players["detail"]


def test_feature_that_the_store_never_has_fails(verify: Verify, catalog: Path) -> None:
    columns = Columns(NUMBERS, TEXTS)
    with replacing_store(catalog.with_name("empty.sqlite"), columns) as store:
        packed = b"".join([b"\0\0\0\0\0\0\xf8\x7f" if name == "f2" else b"\0" * 8 for name in columns.numbers])
        write_players(store, [(f"player-{n}", PlayerFeatures(packed, ("ios",), 1.0)) for n in range(10)])
    catalog.write_text(catalog.read_text().replace("players.sqlite", "empty.sqlite"))
    code, report, _ = verify("--players", "10")
    assert code == 1
    missing = next(check for check in checks(report, "inputs") if check["subject"] == "f2")
    assert (missing["result"], missing["detail"]) == ("different", "is missing in all 10 samples")


def test_mesh_with_tls_is_verified_with_a_certificate_that_the_workers_know(catalog: Path) -> None:
    with started_mesh(catalog, "--json", "--tls") as mesh:
        folder = Path(mesh.ready["tls"])
        workers = ["--workers", str(Path(mesh.ready["logs"], "endpoints.json"))]
        words = [*MESH, "verify", str(catalog), "--version", VERSION, "--address", mesh.address, *workers, "--json"]
        for name in ("verify", "client"):
            tls = options_of(files_in(folder, name), server_name="")
            ended = subprocess.run([*words, *tls], capture_output=True, text=True, timeout=100, check=False)
            report = json.loads(ended.stdout or "{}")
            golden, (players,) = checks(report, "golden rows"), checks(report, "players")
            assert players["result"] == "equal", players
            if name == "verify":
                assert [check["result"] for check in golden] == ["equal"] * len(FEW)
            else:
                assert all("PERMISSION_DENIED: only a supervisor may call" in check["detail"] for check in golden)


def test_unknown_version_is_wrong_usage(verify: Verify) -> None:
    code, report, stderr = verify("--version", "winter")
    assert (code, report) == (2, {})
    assert "has no such version, only median; name one" in stderr


def test_report_is_a_table_for_people(mesh: StartedMesh, catalog: Path) -> None:
    words = [*MESH, "verify", str(catalog), "--version", VERSION, "--address", mesh.address, "--players", "40"]
    workers = ["--workers", "binary=unix:/nonexistent.sock"]
    ended = subprocess.run([*words, *workers], capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 1
    assert "binary at unix:/nonexistent.sock  different" in ended.stdout
    assert "rf" in ended.stdout
    assert "no worker is known; name the workers with --workers" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("testgame, version median: 1 check found a difference, ")
