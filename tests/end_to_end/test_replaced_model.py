"""A model is replaced under its own name, under load: every answer is whole, and from one file."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.catalog.catalog import load
from mesh.catalog.worker_inputs import inputs_of
from mesh.cli.metrics_page import fetch
from mesh.sha256 import sha256_of
from mesh.version_digest import version_digest
from mesh.wire import offers_pb2 as wire
from tests.end_to_end import offline
from tests.end_to_end.load import CALLERS, PATIENCE_S, Load, load_on
from tests.end_to_end.meshes import World
from tests.end_to_end.test_rollout import DEADLINE_S, GAME, Cluster, Pod
from tests.forests import TrainedForest
from tests.model_worker.processes import EndedWorker, start, worker_process
from tests.supervisor.fake_api_server import fake_api_server
from tests.supervisor.processes import supervisor

pytestmark = pytest.mark.whole_machine

VERSION, MODEL = "solo", "whales"
OLD, NEW = "binary", "pandas"  # files with other features, so that rows for one are wrong for the other


@pytest.fixture
async def cluster(world: World, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(fake_api_server(tmp_path / "serviceaccount"))
        yield Cluster(world, server, stack, itertools.count(1))


@pytest.fixture
def catalog(world: World, tmp_path: Path) -> Path:
    """A catalog with one version of one model, whose first file is that of `OLD`."""
    content = yaml.safe_load(world.catalog.read_text())
    content["versions"] = {VERSION: {"models": [{"name": MODEL, "uri": f"{OLD}.txt"}]}}
    path = tmp_path / "mesh.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@asynccontextmanager
async def under_load(cluster: Cluster, catalog: Path) -> AsyncIterator[tuple[Load, str]]:
    """Runs a supervisor under load; asserts that each answer is whole and has the scores of one file.

    Yields the load, and the address of the supervisor's metrics.
    """
    files = ("--files", cluster.world.catalog.parent)
    slices = ("--endpoint-slices", cluster.server.folder, "--ready-within-s", "30", "--log-level", "warning")
    async with supervisor("--catalog", catalog, *files, *slices, environ=cluster.server.environ) as running:
        async with load_on(running.ready["address"], DEADLINE_S, limit=len(offline.OFFER_ROWS)) as load:
            await load.until(lambda answer: bool(answer.version_digest))
            yield load, running.ready["metrics"]
        assert (await running.stop())[0] == 0
    expected = {digest_of(cluster.world, kind): scores_of(cluster.world.forests[kind], cluster) for kind in (OLD, NEW)}
    assert not load.failures
    for _, answer in load.answers:
        assert answer.source == wire.ENSEMBLE, answer
        found = {offer.offer_id: offer.score for offer in answer.offers}
        assert found == pytest.approx(expected[answer.version_digest][answer.request_id], rel=1e-12), answer


def digest_of(world: World, kind: str) -> str:
    return version_digest({MODEL: sha256_of(world.forests[kind].path)})


def scores_of(forest: TrainedForest, cluster: Cluster) -> Mapping[str, Mapping[str, float]]:
    """The scores of plain LightGBM by player and offer, for the players of the load, who send no context."""
    players = cluster.world.players[:CALLERS]
    by_offer = {offer: offline.table([forest], players, offer, lambda _: {})[0] for offer in offline.OFFER_ROWS}
    return {
        player.id: {offer: float(scores[place]) for offer, scores in by_offer.items()}
        for place, player in enumerate(players)
    }


async def pod(cluster: Cluster, kind: str) -> Pod:
    """Starts a pod of the model with the file of `kind`; it has no EndpointSlice yet."""
    model = cluster.world.forests[kind].path
    worker = await cluster.stack.enter_async_context(worker_process(model, name=MODEL))
    return Pod(f"{kind}-{next(cluster.names)}", (GAME, VERSION, MODEL), worker)


async def until_lanes_up(metrics: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await asyncio.to_thread(fetch, metrics)).total("mesh_lanes", state="up") < count:  # noqa: ASYNC110 (a process)
            await asyncio.sleep(0.05)


def digests(load: Load) -> list[str]:
    """The digests of the answers in the order of arrival, without repetitions."""
    return [digest for digest, _ in itertools.groupby(answer.version_digest for _, answer in load.answers)]


@pytest.mark.parametrize("replicas", [1, 2, 3])
async def test_rolling_replacement_by_another_file_loses_and_mixes_nothing(
    cluster: Cluster, catalog: Path, replicas: int
) -> None:
    old = [await pod(cluster, OLD) for _ in range(replicas)]
    await cluster.announce(*old)
    async with under_load(cluster, catalog) as (load, _):
        for leaving in old:
            await cluster.announce(await pod(cluster, NEW))
            await cluster.stop(leaving)
        await load.until(lambda answer: answer.version_digest == digest_of(cluster.world, NEW))
    assert digest_of(cluster.world, OLD) in digests(load)
    print(f"\n{len(load.answers)} answers, {len(digests(load)) - 1} changes of the file in use", end="")


async def test_replica_that_comes_back_with_another_file_mixes_nothing(cluster: Cluster, catalog: Path) -> None:
    old = [await pod(cluster, OLD) for _ in range(2)]
    await cluster.announce(*old)
    async with under_load(cluster, catalog) as (load, metrics):
        for leaving in old:  # killed without notice, at the same address
            port = leaving.worker.port
            leaving.worker.process.kill()
            await leaving.worker.process.wait()
            model = cluster.world.forests[NEW].path
            again = worker_process(model, "--port", str(port), name=MODEL)
            await cluster.stack.enter_async_context(again)
            await until_lanes_up(metrics, len(old))
        await load.until(lambda answer: answer.version_digest == digest_of(cluster.world, NEW))


async def test_file_with_a_feature_without_source_is_refused_and_the_old_one_goes_on(
    cluster: Cluster, catalog: Path, tmp_path: Path
) -> None:
    inputs, unfed = tmp_path / "inputs.json", tmp_path / "unfed.txt"
    inputs.write_text(inputs_of(load(catalog, cluster.world.catalog.parent)))
    text = cluster.world.forests[OLD].path.read_text()
    unfed.write_text(text.replace("Column_5", "clan_rank"))
    old = [await pod(cluster, OLD) for _ in range(2)]
    await cluster.announce(*old)
    async with under_load(cluster, catalog) as (running, _):
        refused: Any = await start(unfed, "--inputs", str(inputs), name=MODEL)
        assert isinstance(refused, EndedWorker)
        assert refused.code == 4
        assert "feature 'clan_rank' has no source; add it to the player store" in refused.stderr
        fed = await start(cluster.world.forests[NEW].path, "--inputs", str(inputs), name=MODEL)
        assert not isinstance(fed, EndedWorker), fed
        await fed.stop()
        for _ in range(50):
            await running.until(lambda answer: bool(answer.version_digest))
    assert digests(running) == [digest_of(cluster.world, OLD)]
