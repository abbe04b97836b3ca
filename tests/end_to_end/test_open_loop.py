from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from loadtest.generators.callers import Target, calling
from loadtest.generators.closed_loop import ask_by_turns
from loadtest.generators.tally import Window
from loadtest.measurement.latency import percentiles
from tests.end_to_end.meshes import Mesh, World, running

STALL_S = 0.5
BEFORE_S = 1.5


@pytest.fixture(scope="module")
def ids(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ids") / "players.txt"
    path.write_text("\n".join(player.id for player in world.players))
    return path


def command(mesh: Mesh, ids: Path, options: Sequence[str]) -> list[str]:
    told = ["--address", mesh.address, "--game", "testgame", "--player-ids", str(ids), "--json"]
    return [sys.executable, "-m", "loadtest", "run", *told, "--out", str(ids.with_name("run.json")), *options]


def run(mesh: Mesh, ids: Path, *options: str) -> dict[str, Any]:
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


@pytest.mark.parametrize("version", ["every-kind", "weighted-mean", "median", "trimmed-mean", "rank-mean", "vote"])
def test_every_score_is_checked_against_lightgbm(mesh: Mesh, world: World, ids: Path, version: str) -> None:
    told = run(
        mesh, ids, "--rate", "60", "--seconds", "2", "--version", version, "--check", "--catalog", str(world.catalog)
    )
    assert told["classes"]["wrong"] == 0
    assert told["classes"]["full"] > 0.9 * told["requests"]


def test_a_wrong_score_is_seen(mesh: Mesh, world: World, ids: Path) -> None:
    other = world.catalog.with_name("other.yaml")
    # The mesh takes the mean over all kinds; whoever checks believes in another way to combine.
    other.write_text(world.catalog.read_text().replace("kind: mean", "kind: median"))
    options = ("--rate", "30", "--seconds", "1", "--version", "every-kind", "--check", "--catalog", str(other))
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["classes"]["wrong"] > 0


def test_a_score_of_partial_answers_is_checked_against_the_models_that_voted(world: World, ids: Path) -> None:
    with running(world.catalog) as mesh, stalled(pid_of(mesh, "every-kind", "rf")):
        options = ("--rate", "30", "--seconds", "2", "--version", "every-kind", "--check")
        told = run(mesh, ids, *options, "--catalog", str(world.catalog), "--deadline-ms", "400")
    assert told["classes"]["partial"] > 0
    assert told["classes"]["wrong"] == 0


def test_two_processes_share_one_schedule(mesh: Mesh, ids: Path) -> None:
    told = run(mesh, ids, "--rate", "100", "--seconds", "2", "--arrivals", "constant", "--processes", "2")
    assert (told["requests"], told["generator"]["processes"]) == (200, 2)
    assert told["classes"]["unsent"] == told["classes"]["error"] == 0


def test_a_trace_is_sent_as_it_was(mesh: Mesh, ids: Path, tmp_path: Path) -> None:
    (tmp_path / "trace").write_text("100.0\n100.2\n100.2\n101.5\n")
    told = run(mesh, ids, "--trace", str(tmp_path / "trace"))
    assert (told["requests"], told["seconds"]) == (4, 1.5)


async def test_a_stall_that_closed_loops_hide_shows_in_the_p99(world: World, ids: Path) -> None:
    with running(world.catalog) as mesh:
        supervisor = int(mesh.ready["supervisor"]["pid"])
        options = ("--rate", "60", "--seconds", "4", "--arrivals", "constant", "--deadline-ms", "2000")
        process = await asyncio.create_subprocess_exec(
            *command(mesh, ids, options), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        start_s = time.monotonic() + 3.0  # about when the senders begin; the stall falls well inside of both loops
        closed = asyncio.create_task(closed_loop_latencies_ms(mesh, start_s))
        await asyncio.sleep(start_s + BEFORE_S - time.monotonic())
        with stalled(supervisor):
            await asyncio.sleep(STALL_S)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        hidden_ms = percentiles(await closed, 99)[0]
    seen_ms = json.loads(output)["latency_ms"]["p99"]
    assert seen_ms > 0.7 * STALL_S * 1000
    assert hidden_ms < 0.5 * seen_ms


async def closed_loop_latencies_ms(mesh: Mesh, start_s: float) -> list[float]:
    """What one caller sees who waits for each answer: only one of its requests meets the stall."""
    target = Target("grpc", mesh.address, "Score", "testgame", 10)
    async with calling(target) as caller:
        tally = await ask_by_turns(caller, 1, 10, Window(start_s - 0.5, start_s + 3.5), seed=1)
    return tally.latencies_ms


def pid_of(mesh: Mesh, version: str, model: str) -> int:
    """The process of one version's worker of `model`."""
    workers = mesh.ready["workers"]
    return next(int(one["pid"]) for one in workers if (one["version"], one["model"]) == (version, model))


class stalled:  # noqa: N801 (reads as a word in `with`)
    """A process that is stopped for as long as the block lasts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--address", "127.0.0.1:1"], "cannot connect to 127.0.0.1:1"),
        (["--game", "nosuchgame"], "NOT_FOUND: game: 'nosuchgame' is not served here"),
        (["--context", "nosuch=1"], "'nosuch' is no context feature"),
        (["--check"], "--check needs --catalog"),
        (["--trace", "/nonexistent"], "/nonexistent: cannot read the trace"),
        (["--rate", "1e9"], "more than the maximum of 1,000,000 requests"),
    ],
)
def test_bad_input_is_a_clear_line_and_exit_code_2(mesh: Mesh, ids: Path, options: list[str], complaint: str) -> None:
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_rate_that_cannot_be_sent_is_told_and_has_an_exit_code(mesh: Mesh, ids: Path) -> None:
    options = ("--rate", "20000", "--seconds", "1", "--max-unanswered", "50")
    ended = subprocess.run(command(mesh, ids, options), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "requests were not sent" in ended.stderr
