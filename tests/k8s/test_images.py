"""The services run from the files of their images, as laid out by the script that builds the images."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from emulators.aws import use_credentials
from emulators.processes import Server
from mesh.decisions.log import open_log
from mesh.players.dynamodb.client import open_client
from mesh.players.features import PlayerFeatures
from mesh.wire import offers_pb2 as wire
from tests.emulators import s3
from tests.forests import TrainedForest, train
from tests.model_worker.processes import RunningWorker, start
from tests.model_worker.test_process import channel_to, check_reflection, inference, request_for
from tests.model_worker.test_process import fetch as read_page
from tests.ports.tables import Table, features_of
from tests.supervisor.backend import COLUMNS, HEADER, MODELS, write_game
from tests.supervisor.decisions.writer.blocks import Shape, draw, outcomes
from tests.supervisor.decisions.writer.writer_process import writer
from tests.supervisor.processes import supervisor
from tests.supervisor.replica import replica, sums
from tests.supervisor.test_process import page, put, until_whole

PROJECT = Path(__file__).parents[2]
ROOTS = PROJECT / "build" / "images"
LIMITS_MB = {"model-worker": 100, "supervisor": 260}
Use = Callable[[str], None]

# As in a pod on EKS: a token in a file, exchanged for credentials.
ROLE = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/models", "AWS_ROLE_SESSION_NAME": "test"}
CLIENTS = """
import asyncio, sys
from aiobotocore.session import get_session

async def main():
    for service in sys.argv[1:]:
        async with get_session().create_client(service, region_name="eu-west-1"):
            pass

asyncio.run(main())
"""


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Use:
    """After `use(image)`, the programs that the test starts run from the image's files, in its environment."""

    def choose(image: str) -> None:
        root = ROOTS / image
        if not root.with_name(f"{image}.stamp").exists():
            pytest.skip("the files of the images are not installed; run `make image-roots`")
        subprocess.run([sys.executable, PROJECT / "k8s/images/install.py", "code", image, root], check=True)
        for name in [name for name in os.environ if not name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("PYTHONSAFEPATH", "1")
        monkeypatch.setattr(sys, "executable", str(root / "opt/ensemble-mesh/bin/python"))

    return choose


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> TrainedForest:
    return train("binary", tmp_path_factory.mktemp("forests"))


@pytest.mark.parametrize("by_role", [False, True])
async def test_image_worker_downloads_its_model_from_s3_and_scores_as_lightgbm(
    by_role: bool,
    use: Use,
    s3_store: s3.S3,
    binary: TrainedForest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3.use(monkeypatch, s3_store.endpoint)
    if by_role:
        s3.without_credentials(monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", s3_store.endpoint)
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        (tmp_path / "token").write_text("token")
        for name, value in ROLE.items():
            monkeypatch.setenv(name, value)
    s3_store.make_bucket("images")
    s3_store.put("images", "forest.txt", binary.path.read_bytes())
    use("model-worker")
    digest = hashlib.sha256(binary.path.read_bytes()).hexdigest()
    worker = await start("s3://images/forest.txt", "--sha256", digest)
    assert isinstance(worker, RunningWorker), worker
    async with channel_to(worker) as channel:
        reply = await inference(channel).ModelInfer(request_for(binary, 8))
        await check_reflection(channel)
    metrics = read_page(f"http://127.0.0.1:{worker.metrics_port}/metrics")
    assert (await worker.stop())[0] == 0
    assert reply.raw_output_contents[0] == binary.scores(binary.rows[:8]).tobytes()
    assert "mesh_worker_predict_seconds_count 1.0" in metrics


async def test_image_supervisor_answers_for_players_in_dynamodb(use: Use, moto_server: Server, tmp_path: Path) -> None:
    use_credentials()
    features = features_of(moto_server.endpoint, "packed", COLUMNS)
    async with open_client(features) as client:
        table = Table(client, features)
        await table.create()
        await table.write(COLUMNS, {"p1": PlayerFeatures(b"\0" * 8, (), 1.0)})
    catalog = write_game(tmp_path)
    block = f"{{store: dynamodb, table: {features.table}, region: eu-west-1, endpoint_url: '{moto_server.endpoint}'"
    catalog.write_text(catalog.read_text().replace("{path: players.sqlite", block))
    endpoints = tmp_path / "endpoints.json"
    use("supervisor")
    async with (
        replica(HEADER, sums()) as fake,
        supervisor("--catalog", catalog, "--endpoints", endpoints, "--log-level", "error") as running,
    ):
        put(endpoints, {"g": {"v1": {model: [fake.address] for model in MODELS}}})
        await until_whole(running)
        assert (await running.offer()).source == wire.ENSEMBLE
        assert "mesh_requests_total" in page(running.ready["metrics"])
        assert await running.stop() == (0, "")


@pytest.mark.parametrize("image", LIMITS_MB)
def test_image_has_every_aws_service_of_our_stores_and_the_credential_chain(image: str, use: Use) -> None:
    use(image)
    services = ("dynamodb", "s3", "signin", "sso", "sso-oidc", "sts")
    subprocess.run([sys.executable, "-c", CLIENTS, *services], check=True)


def test_image_supervisor_writes_a_decision_log(use: Use, tmp_path: Path) -> None:
    use("supervisor")
    with writer(str(tmp_path / "log")) as process:
        process.send(draw(Shape(requests=7)).block(), outcomes(2))
        assert process.finish().written == 9
    with open_log(str(tmp_path / "log")) as log:
        assert log.read(log.decisions("arena")).num_rows == 7


@pytest.mark.parametrize("image", LIMITS_MB)
def test_image_is_small_and_holds_no_installer(image: str, use: Use) -> None:
    use(image)
    root = ROOTS / image
    packages = root / sysconfig.get_path("purelib", "venv", {"base": "opt/ensemble-mesh"})
    size_mb = sum(path.lstat().st_size for path in root.rglob("*")) / 2**20
    assert size_mb < LIMITS_MB[image]
    assert [path for name in ("pip", "scipy", "sklearn", "pandas", "duckdb") for path in packages.glob(name)] == []
