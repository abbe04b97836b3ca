"""A mesh does not serve a model whose file is right and whose answer differs from its golden rows."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mesh.golden import GoldenRow
from tests.forests import train
from tests.golden_rows import golden_of, write
from tests.started_mesh import MESH, started_mesh

pytestmark = pytest.mark.whole_machine

KINDS = ("binary", "rf", "dart")


def build(folder: Path, wrong: str) -> Path:
    """Builds a game with golden rows; one score of the model `wrong` is another one."""
    models = []
    for kind in KINDS:
        forest = train(kind, folder)
        golden = golden_of(forest)
        if kind == wrong:
            rows = (GoldenRow(golden.rows[0].values, (0.125,)), *golden.rows[1:])
            golden = replace(golden, scored_by="LightGBM 3.3.5", rows=rows)
        path = write(golden, folder / f"{kind}.golden.jsonl")
        models.append({"name": kind, "uri": f"{kind}.txt", "golden": path.name})
    (folder / "players.csv").write_text(
        "player_id," + ",".join(f"Column_{column}" for column in range(6)) + "\np1,1,2,3,4,5,6\n"
    )
    catalog = {"game": "g", "features": {"path": "p.sqlite"}, "versions": {"v1": {"models": models}}}
    (path := folder / "mesh.yaml").write_text(yaml.safe_dump(catalog))
    subprocess.run([*MESH, "features", "load", str(folder / "players.csv"), "--catalog", str(path)], check=True)
    return path


def test_model_with_another_score_is_not_served_and_the_log_names_both_scores(tmp_path: Path) -> None:
    with started_mesh(build(tmp_path, wrong="rf"), "--json") as mesh:
        states = {worker["model"]: worker["state"] for worker in mesh.ready["workers"]}
        assert states == {"binary": "ready", "rf": "refused", "dart": "ready"}
        ask = [*MESH, "score", "--game", "g", "--player", "p1", "--address", mesh.address, "--json"]
        answer = json.loads(subprocess.run(ask, capture_output=True, text=True, check=True).stdout)
        logs = "".join(file.read_text() for file in Path(mesh.ready["logs"]).glob("*rf*.log"))

    assert answer["source"] == "PARTIAL"
    assert [missing["model"] for missing in answer["missing_models"]] == ["rf"]
    assert "golden row 1: expected 0.125, got 0." in logs
    assert "the expected scores are of LightGBM 3.3.5" in logs
