"""Models that were published to S3 give the same scores as models in files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.wire import offers_pb2 as wire
from tests.emulators import s3
from tests.end_to_end import meshes, offline
from tests.end_to_end.meshes import FEW, World
from tests.end_to_end.test_scores import ask_all, forests, score_request
from tests.started_mesh import MESH, StartedMesh

pytestmark = pytest.mark.whole_machine

VERSION = "weighted-mean"


@pytest.fixture
def published(world: World, s3_store: s3.S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog with one version, with the model entries that `mesh publish` printed."""
    s3.use(monkeypatch, s3_store.endpoint)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    s3_store.make_bucket("testgame")
    (folder := tmp_path / "v1").mkdir()
    for kind in FEW:
        shutil.copy(world.forests[kind].path, folder)
    done = subprocess.run(
        [*MESH, "publish", str(folder), "--to", "s3://testgame/v1"], stdout=subprocess.PIPE, check=True
    )
    shutil.rmtree(folder)
    return write_catalog(world, {model["name"]: model for model in yaml.safe_load(done.stdout)["models"]}, tmp_path)


def write_catalog(world: World, entries: dict[str, Any], folder: Path) -> Path:
    catalog = yaml.safe_load(world.catalog.read_text())
    for block in ("features", "offers"):
        catalog[block]["path"] = str(world.catalog.parent / catalog[block]["path"])
    version = catalog["versions"][VERSION]
    version["traffic"] = 100
    version["models"] = [{**model, **entries[model["name"]]} for model in version["models"]]
    catalog["versions"] = {VERSION: version}
    (file := folder / "mesh.yaml").write_text(yaml.safe_dump(catalog))
    return file


async def test_scores_of_published_models_equal_lightgbm_even_after_a_restart_without_the_store(
    world: World, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with meshes.running(published) as mesh:
        await check_scores(world, mesh)
        assert mesh.stop() == 0
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with meshes.running(published) as mesh:
        await check_scores(world, mesh)


def test_replaced_model_is_refused_and_the_others_serve(s3_store: s3.S3, published: Path, world: World) -> None:
    s3_store.put("testgame", "v1/rf.txt", world.forests["dart"].path.read_bytes())
    with meshes.running(published) as mesh:
        states = {worker["model"]: worker["state"] for worker in mesh.ready["workers"]}
        assert mesh.stderr.line("refused s3://testgame/v1/rf.txt: its SHA-256 is ")
    assert states == {kind.replace("_", "-"): "refused" if kind == "rf" else "ready" for kind in FEW}


async def check_scores(world: World, mesh: StartedMesh) -> None:
    answers = await ask_all(mesh, "Score", [score_request(player, VERSION) for player in world.players])
    table = offline.table(forests(world, VERSION), world.players, "gem-chest")
    weights = [1.0 + position / 7 for position in range(len(FEW))]
    assert {answer.source for answer in answers} == {wire.ENSEMBLE}
    assert [answer.score for answer in answers] == [
        offline.ROW_COMBINERS[VERSION](votes, weights) for votes in table.T.tolist()
    ]
