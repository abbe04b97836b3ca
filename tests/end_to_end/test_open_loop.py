"""`python -m loadtest run` against a mesh: scores are checked against LightGBM, and every request is accounted for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from loadtest.generators.callers import Target, calling
from loadtest.generators.closed_loop import ask_by_turns
from loadtest.generators.tally import Window
from loadtest.measurement.latency import percentiles
from loadtest.run.measurement import HEAD_START_S
from mesh.cli.metrics_page import fetch
from mesh.cli.status.interval import Interval
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.end_to_end.meshes import World
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

STALL_S = 0.5
BEFORE_S = 1.5
VERSIONS = ("every-kind", "weighted-mean", "median", "trimmed-mean", "rank-mean", "vote")
MIN_ANSWERS = 40  # of each version, in one run of 720 requests


@pytest.fixture(scope="module")
def ids(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ids") / "players.txt"
    path.write_text("\n".join(player.id for player in world.players))
    return path


def command(mesh: StartedMesh, ids: Path, options: Sequence[str]) -> list[str]:
    target = ["--address", mesh.address, "--game", "testgame", "--player-ids", str(ids), "--json"]
    return [sys.executable, "-m", "loadtest", "run", *target, "--out", str(ids.with_name("run.json")), *options]


def run(mesh: StartedMesh, ids: Path, *options: str) -> dict[str, Any]:
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def test_every_score_of_every_version_equals_lightgbm(mesh: StartedMesh, world: World, ids: Path) -> None:
    before, before_s = fetch(mesh.ready["metrics"]), time.monotonic()
    result = run(mesh, ids, "--rate", "120", "--seconds", "6", "--check", "--catalog", str(world.catalog))
    interval = Interval(before, fetch(mesh.ready["metrics"]), time.monotonic() - before_s)

    assert result["classes"]["wrong"] == 0
    assert result["classes"]["full"] > 0.9 * result["requests"]
    for version in VERSIONS:
        answers = interval.increase("mesh_requests_total", version=version)
        whole = interval.increase("mesh_requests_total", version=version, source="ENSEMBLE")
        assert answers >= MIN_ANSWERS, version
        assert whole > 0.9 * answers, version


def test_catalog_gives_the_game_its_players_their_context_and_their_candidates(
    mesh: StartedMesh, world: World, tmp_path: Path
) -> None:
    options = ["--address", mesh.address, "--catalog", str(world.catalog), "--candidates", "3", "--check", "--json"]
    words = [sys.executable, "-m", "loadtest", "run", *options, "--rate", "60", "--seconds", "3"]
    ended = subprocess.run(
        [*words, "--out", str(tmp_path / "run.json")], capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["game"], result["unknown_players"], result["classes"]["wrong"]) == ("testgame", 0, 0)
    assert result["check"]["compared"] > 0.9 * result["requests"]


def test_unknown_players_are_counted(mesh: StartedMesh, tmp_path: Path) -> None:
    ids = tmp_path / "players.txt"
    ids.write_text("nobody\n")
    assert run(mesh, ids, "--rate", "30", "--seconds", "1")["unknown_players"] > 0


def test_wrong_score_is_reported(mesh: StartedMesh, world: World, ids: Path) -> None:
    other = world.catalog.with_name("other.yaml")
    # The mesh uses the mean of all kinds, but this catalog makes the check expect the median.
    other.write_text(world.catalog.read_text().replace("kind: mean", "kind: median"))
    options = ("--rate", "30", "--seconds", "1", "--version", "every-kind", "--check", "--catalog", str(other))
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["classes"]["wrong"] > 0


def test_score_of_a_partial_answer_is_checked_against_the_models_that_voted(
    mesh: StartedMesh, world: World, ids: Path, offers: offers_pb2_grpc.OffersStub
) -> None:
    with stopped(mesh.pid("rf", "every-kind")):
        options = ("--rate", "30", "--seconds", "2", "--version", "every-kind", "--check")
        result = run(mesh, ids, *options, "--catalog", str(world.catalog), "--deadline-ms", "400")
    wait_for_a_whole_answer(offers, "every-kind")
    assert result["classes"]["partial"] > 0
    assert result["classes"]["wrong"] == 0


def wait_for_a_whole_answer(offers: offers_pb2_grpc.OffersStub, version: str) -> None:
    request = offers_pb2.ScoreRequest(game="testgame", player_id="player-1", version=version)
    while offers.Score(request, timeout=5).source != offers_pb2.ENSEMBLE:
        pass


def test_two_processes_share_one_schedule(mesh: StartedMesh, ids: Path) -> None:
    result = run(mesh, ids, "--rate", "100", "--seconds", "2", "--arrivals", "constant", "--processes", "2")
    assert (result["requests"], result["generator"]["processes"]) == (200, 2)
    assert result["classes"]["unsent"] == result["classes"]["error"] == 0


def test_trace_is_sent_with_its_own_timing(mesh: StartedMesh, ids: Path, tmp_path: Path) -> None:
    (tmp_path / "trace").write_text("100.0\n100.2\n100.2\n101.5\n")
    result = run(mesh, ids, "--trace", str(tmp_path / "trace"))
    assert (result["requests"], result["seconds"]) == (4, 1.5)


async def test_p99_shows_a_stall_that_a_closed_loop_hides(mesh: StartedMesh, ids: Path) -> None:
    supervisor = int(mesh.ready["supervisor"]["pid"])
    options = ("--rate", "60", "--seconds", "4", "--arrivals", "constant", "--deadline-ms", "2000")
    process = await asyncio.create_subprocess_exec(
        *command(mesh, ids, options), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    start_s = await start_of_the_run_s(process)
    closed = asyncio.create_task(closed_loop_latencies_ms(mesh, start_s))
    await asyncio.sleep(start_s + BEFORE_S - time.monotonic())  # the stall is well inside both loops
    with stopped(supervisor):
        await asyncio.sleep(STALL_S)
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    hidden_ms = percentiles(await closed, 99)[0]
    seen_ms = json.loads(output)["latency_ms"]["p99"]
    assert seen_ms > 0.7 * STALL_S * 1000
    assert hidden_ms < 0.5 * seen_ms


async def start_of_the_run_s(process: asyncio.subprocess.Process) -> float:
    """Waits until the load test announces its run; returns the time (monotonic) of the first request."""
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while b"requests in" not in (line := await process.stderr.readline()):
            assert line, "the load test ended early"
    return time.monotonic() + HEAD_START_S


async def closed_loop_latencies_ms(mesh: StartedMesh, start_s: float) -> list[float]:
    """The latencies of one caller that waits for each answer, so that only one of its requests meets the stall."""
    target = Target("grpc", mesh.address, "Score", "testgame", 10)
    async with calling(target) as caller:
        tally = await ask_by_turns(caller, 1, 10, Window(start_s - 0.5, start_s + 3.5), seed=1)
    return tally.latencies_ms


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stops a process during the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--address", "127.0.0.1:1"], "cannot connect to 127.0.0.1:1"),
        (["--game", "nosuchgame"], "NOT_FOUND: game: 'nosuchgame' is not served here"),
        (["--context", "nosuch=1"], "'nosuch' is not a context feature"),
        (["--check"], "--check needs --catalog"),
        (["--trace", "/nonexistent"], "/nonexistent: cannot read the trace"),
        (["--rate", "1e9"], "more than the maximum of 1,000,000 requests"),
    ],
)
def test_wrong_input_is_reported_with_exit_code_2(
    mesh: StartedMesh, ids: Path, options: list[str], message: str
) -> None:
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_rate_that_cannot_be_sent_is_reported_with_exit_code_3(mesh: StartedMesh, ids: Path) -> None:
    options = ("--rate", "20000", "--seconds", "1", "--max-unanswered", "50")
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "requests were not sent" in ended.stderr
