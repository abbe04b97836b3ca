import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.catalog.catalog import Catalog
from mesh.catalog.version import Model
from mesh.cli.up import fleet as fleet_module
from mesh.cli.up.child import Child
from mesh.cli.up.fleet import Fleet
from mesh.cli.up.lanes import lanes_are_up
from mesh.cli.up.plan import Options, Replica, replicas_of, worker_command
from mesh.cli.up.restarts import Exit
from mesh.cli.up.worker import address_of, lane_address_of
from tests.mesh.cli.up.stand_ins import write_stand_ins

OPTIONS = Options("127.0.0.1", port=0, metrics_port=0, loop="asyncio", replicas=1)


class Recorder:
    """Records the events of a fleet."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, int]] = []
        self.kills: list[str] = []
        self.returns: list[str] = []
        self.additions: list[Child] = []
        self.leavers: list[Child] = []
        self.happened = asyncio.Event()
        self.on_kill: Callable[[], object] = list

    def changed(self, _: Fleet) -> None:
        self.happened.set()

    def ended(self, child: Child, end: Exit, _: float | None) -> None:
        self.ends.append((child.name, end.code))

    def back(self, child: Child) -> None:
        self.returns.append(child.name)

    def killed(self, child: Child, _: float) -> None:
        self.kills.append(child.name)
        self.on_kill()

    def added(self, child: Child) -> None:
        self.additions.append(child)

    def leaves(self, child: Child) -> None:
        self.leavers.append(child)

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self.happened.clear()
            await self.happened.wait()


class Run:
    """A fleet of stand-in processes with a worker for each of `uris`."""

    def __init__(self, folder: Path, *uris: str) -> None:
        self.folder = folder
        self.report = Recorder()
        self.replicas = [Replica("g", "1", Model(name=f"m{number}", uri=uri), 0) for number, uri in enumerate(uris)]
        self.fleet = Fleet([folder / "mesh.yaml"], self.replicas, OPTIONS, folder, self.report)
        self.kill = asyncio.Event()

    @asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            self.fleet.start(group)
            yield
            await self.fleet.drain(self.kill)

    def worker(self, number: int) -> Child:
        return list(self.fleet.workers)[number].child

    def endpoints(self) -> dict[str, list[str]]:
        tree = json.loads((self.folder / "endpoints.json").read_text())
        return {model: [one["address"] for one in serving] for model, serving in tree["g"]["1"].items()}


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(write_stand_ins(tmp_path / "programs")))


def address(child: Child) -> str:
    assert child.ready is not None
    return address_of(child.ready)


def kill(child: Child) -> None:
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)


async def test_endpoints_file_lists_every_serving_worker(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", "b")
    async with run.started():
        await run.fleet.settled()
        await lanes_are_up(run.fleet)

        assert run.endpoints() == {"m0": [address(run.worker(0))], "m1": [address(run.worker(1))]}


async def test_killed_worker_leaves_the_endpoints_file_until_it_serves_again(tmp_path: Path) -> None:
    run = Run(tmp_path, "a")
    async with run.started():
        await run.fleet.settled()
        before = address(run.worker(0))

        kill(run.worker(0))

        await run.report.until(lambda: run.worker(0).ready is None)
        assert run.endpoints() == {"m0": []}
        await run.report.until(lambda: run.worker(0).ready is not None)
        assert run.endpoints() == {"m0": [address(run.worker(0))]}
        assert run.report.ends == [("g/1/m0", -signal.SIGKILL)]
        assert run.report.returns == ["g/1/m0"]
        assert address(run.worker(0)) != before


async def test_restarted_supervisor_keeps_its_ports(tmp_path: Path) -> None:
    run = Run(tmp_path, "a")
    async with run.started():
        await run.fleet.settled()
        before = run.fleet.supervisor.ready

        kill(run.fleet.supervisor)
        await run.report.until(lambda: run.fleet.supervisor.ready is None)
        await run.fleet.settled()

        assert before is not None
        assert run.fleet.supervisor.ready == {**before, "pid": run.fleet.supervisor.pid}
        assert before["pid"] != run.fleet.supervisor.pid


async def test_refused_model_does_not_stop_the_others(tmp_path: Path) -> None:
    run = Run(tmp_path, "refused", "b")
    async with run.started():
        await run.fleet.settled()

        assert [run.worker(number).state for number in (0, 1)] == ["refused", "ready"]
        assert run.endpoints() == {"m0": [], "m1": [address(run.worker(1))]}


async def test_supervisor_that_rejects_its_configuration_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", "a fault in the catalog")
    run = Run(tmp_path, "a")
    async with run.started():
        await run.fleet.settled()

    assert run.fleet.failure == ("a fault in the catalog",)
    assert run.report.ends == []


async def test_drained_fleet_leaves_no_process_and_reports_no_trouble(tmp_path: Path) -> None:
    run = Run(tmp_path, "a", "b")
    async with run.started():
        await run.fleet.settled()

    assert [child.pid for child in (run.fleet.supervisor, run.worker(0), run.worker(1))] == [None] * 3
    assert (run.report.ends, run.report.kills, run.fleet.troubled) == ([], [], False)


async def test_supervisor_ends_before_the_workers_are_asked_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "SUPERVISOR_DRAIN_S", 0.3)
    run = Run(tmp_path, "a")
    serving: list[bool] = []
    run.report.on_kill = lambda: serving.append(run.worker(0).ready is not None)
    async with run.started():
        await run.fleet.settled()
        assert run.fleet.supervisor.pid is not None
        os.kill(run.fleet.supervisor.pid, signal.SIGSTOP)

    assert (run.report.kills, serving) == (["supervisor"], [True])


async def test_process_that_does_not_drain_in_time_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "WORKER_DRAIN_S", 0.01)
    run = Run(tmp_path, "stubborn")
    async with run.started():
        await run.fleet.settled()

    assert run.report.kills == ["g/1/m0"]
    assert run.fleet.troubled


async def test_kill_request_kills_all_processes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "WORKER_DRAIN_S", 3600.0)
    run = Run(tmp_path, "stubborn")
    async with run.started():
        await run.fleet.settled()
        run.kill.set()

    assert run.worker(0).pid is None
    assert run.report.kills == []


def test_every_replica_of_every_model_gets_a_worker() -> None:
    versions = {name: {"traffic": 50, "models": [{"name": "a", "uri": "a"}]} for name in ("1", "2")}
    catalog = Catalog.model_validate({"game": "g", "features": {"path": "p"}, "versions": versions})

    assert [replica.name for replica in replicas_of([catalog], 2)] == ["g/1/a", "g/2/a", "g/1/a#2", "g/2/a#2"]


def engine_of(replica: Replica, options: Options) -> str:
    words = worker_command(replica, options, Path("/run/lane.sock"), Path("/run/inputs.json"))
    return words[words.index("--engine") + 1]


def test_engine_is_set_by_model_then_version_then_game_unless_the_command_line_sets_it() -> None:
    models = [{"name": "a", "uri": "a"}, {"name": "b", "uri": "b", "engine": "auto"}]
    versions = {"1": {"models": models, "engine": "lightgbm", "traffic": 50}, "2": {"models": models, "traffic": 50}}
    game = {"game": "g", "features": {"path": "p"}, "versions": versions}
    found = [list(replicas_of([Catalog.model_validate({**game, **more})], 1)) for more in ({}, {"engine": "lightgbm"})]

    assert [[engine_of(one, OPTIONS) for one in replicas] for replicas in found] == [
        ["lightgbm", "auto", "auto", "auto"],
        ["lightgbm", "auto", "lightgbm", "auto"],
    ]
    assert {engine_of(one, replace(OPTIONS, engine="auto")) for one in found[0]} == {"auto"}


def test_worker_gets_the_category_columns_of_the_catalog() -> None:
    models = [{"name": "a", "uri": "a", "categories": ["region", "tier"]}, {"name": "b", "uri": "b"}]
    catalog = Catalog.model_validate({"game": "g", "features": {"path": "p"}, "versions": {"1": {"models": models}}})
    first, second = (
        worker_command(one, OPTIONS, Path("/run/a.sock"), Path("/run/inputs.json")) for one in replicas_of([catalog], 1)
    )

    assert "--categories=region,tier" in first
    assert not any(word.startswith("--categories") for word in second)


def test_worker_gets_the_golden_rows_of_the_catalog() -> None:
    golden = {"golden": "a.golden.jsonl", "golden_sha256": "0" * 64}
    models = [{"name": "a", "uri": "a", **golden}, {"name": "b", "uri": "b", "golden": "b"}, {"name": "c", "uri": "c"}]
    catalog = Catalog.model_validate({"game": "g", "features": {"path": "p"}, "versions": {"1": {"models": models}}})
    commands = [
        worker_command(one, OPTIONS, Path("/run/a.sock"), Path("/run/inputs.json")) for one in replicas_of([catalog], 1)
    ]
    options = [[word for word in command if word.startswith("--golden")] for command in commands]

    assert options == [["--golden=a.golden.jsonl", f"--golden-sha256={'0' * 64}"], ["--golden=b"], []]


def test_lane_uses_the_unix_socket_of_a_worker_if_there_is_one() -> None:
    tcp = {"event": "ready", "name": "m", "port": 7, "metrics_port": 8}
    assert lane_address_of(tcp) == "127.0.0.1:7"
    assert lane_address_of({**tcp, "socket": "/run/m.sock"}) == "unix:/run/m.sock"
