"""Workers are replaced under load as Kubernetes does it: no request is lost, and every answer is whole."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from mesh.wire import offers_pb2 as wire
from tests.end_to_end.load import PATIENCE_S, Load, is_whole, load_on
from tests.end_to_end.meshes import World
from tests.model_worker.processes import RunningWorker, worker_process
from tests.supervisor.fake_api_server import FakeApiServer, endpoint, fake_api_server, slice_of
from tests.supervisor.processes import supervisor

pytestmark = pytest.mark.whole_machine

KINDS = ("binary", "rf", "dart")
DEADLINE_S = 5.0  # long, because workers start all the time on a shared machine, and a late answer is not a lost one
PRE_STOP_S = 0.3  # 5 s in the chart
GAME, VERSION = "testgame", "median"


@dataclass(frozen=True)
class Cluster:
    """An API server and its pods; each pod has its own EndpointSlice, because it has its own port."""

    world: World
    server: FakeApiServer
    stack: AsyncExitStack
    names: Any

    async def start(self, kind: str) -> Pod:
        """Starts a pod and waits until its worker is ready; it has no EndpointSlice yet."""
        model = self.world.forests[kind].path
        worker = await self.stack.enter_async_context(worker_process(model, name=kind))
        return Pod(f"{kind}-{next(self.names)}", (GAME, VERSION, kind), worker)

    async def announce(self, *pods: Pod) -> None:
        """Creates the EndpointSlices of ready pods."""
        await self.server.put(*(pod.slice(terminating=False) for pod in pods))

    async def stop(self, pod: Pod) -> None:
        """Deletes a pod: terminating, the preStop pause, SIGTERM, the end of its EndpointSlice."""
        await self.server.put(pod.slice(terminating=True))
        await self.end(pod)

    async def end(self, pod: Pod) -> None:
        """Ends a pod that is terminating."""
        await asyncio.sleep(PRE_STOP_S)
        code, stderr = await pod.worker.stop()
        assert code == 0, stderr
        await self.server.delete(pod.name)


@dataclass(frozen=True)
class Pod:
    """A worker process as a pod."""

    name: str
    model: tuple[str, str, str]
    worker: RunningWorker

    def slice(self, *, terminating: bool) -> Any:
        """Returns the EndpointSlice of the pod."""
        address = endpoint("127.0.0.1", uid=self.name, ready=not terminating, terminating=terminating)
        return slice_of(self.name, self.model, [address], port=self.worker.port)

    async def first_message(self) -> float:
        """Waits until the worker has received rows; returns the monotonic time."""
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(self._messages):  # noqa: ASYNC110 (another process: no event to wait for)
                await asyncio.sleep(0.01)
        return time.monotonic()

    def _messages(self) -> float:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.worker.metrics_port}/metrics", timeout=10) as page:
            found = re.search(r"^mesh_worker_queue_seconds_count (\S+)", page.read().decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0


@pytest.fixture
async def cluster(world: World, tmp_path: Path) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(fake_api_server(tmp_path / "serviceaccount"))
        yield Cluster(world, server, stack, itertools.count(1))


@asynccontextmanager
async def whole_mesh(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Load]:
    """Runs a supervisor with three models, which all must vote, under load; asserts that all answers are whole."""
    catalog = tmp_path / "mesh.yaml"
    catalog.write_text(_catalog(cluster.world))
    files = ("--files", cluster.world.catalog.parent)
    slices = ("--endpoint-slices", cluster.server.folder, "--ready-within-s", "30", "--log-level", "warning")
    async with supervisor("--catalog", catalog, *files, *slices, environ=cluster.server.environ) as running:
        async with load_on(running.ready["address"], DEADLINE_S) as load:
            await load.until(is_whole)
            yield load
            await load.until(is_whole)
        assert (await running.stop())[0] == 0
    assert not load.failures
    assert {wire.Source.Name(answer.source) for _, answer in load.answers} == {"ENSEMBLE"}


def _catalog(world: World) -> str:
    catalog = yaml.safe_load(world.catalog.read_text())
    models = [{"name": kind, "uri": f"{kind}.txt"} for kind in KINDS]
    combine = {"kind": "median", "quorum": len(KINDS)}
    catalog["versions"] = {VERSION: {"traffic": 100, "combine": combine, "models": models}}
    return yaml.safe_dump(catalog)


async def test_rolling_replacement_of_all_workers_loses_no_request(cluster: Cluster, tmp_path: Path) -> None:
    old = [await cluster.start(kind) for kind in KINDS for _ in range(2)]
    await cluster.announce(*old)
    follow_s = []
    async with whole_mesh(cluster, tmp_path) as load:
        for pod in old:
            new = await cluster.start(pod.model[2])
            announced_s = time.monotonic()
            await cluster.announce(new)
            follow_s.append(await new.first_message() - announced_s)
            await cluster.stop(pod)
    _print(load, follow_s)


async def test_replacement_of_single_workers_in_one_step_loses_no_request(cluster: Cluster, tmp_path: Path) -> None:
    old = {kind: await cluster.start(kind) for kind in KINDS}
    await cluster.announce(*old.values())
    async with whole_mesh(cluster, tmp_path) as load:
        for kind, pod in old.items():
            new = await cluster.start(kind)
            await cluster.server.put(new.slice(terminating=False), pod.slice(terminating=True))
            await cluster.end(pod)
    _print(load, [])


async def test_workers_that_end_without_notice_lose_no_request_if_there_are_others(
    cluster: Cluster, tmp_path: Path
) -> None:
    pods = [await cluster.start(kind) for kind in KINDS for _ in range(2)]
    await cluster.announce(*pods)
    async with whole_mesh(cluster, tmp_path) as load:
        for pod in pods[::2]:
            await pod.worker.stop()
            for _ in range(50):
                await load.until(is_whole)
    _print(load, [])


def _print(load: Load, follow_s: Sequence[float]) -> None:
    """Prints figures for a run with `-s`; the tests do not assert them, because they depend on the machine."""
    print(f"\n{len(load.answers)} answers, {len(load.failures)} failures", end="")
    print("".join(f", rows after {seconds:.3f} s" for seconds in follow_s))
