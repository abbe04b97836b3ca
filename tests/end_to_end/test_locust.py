"""Locust runs against a mesh: headless, distributed, and with the web interface."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.meshes import World
from tests.free_port import free_port
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

SECONDS = 20 if "CI" in os.environ else 4
FILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"
OPTIONS = ("--headless", "--only-summary", "--users", "20", "--player-rate", "2", "--games", "testgame")


def locust(options: Sequence[str], seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "locust", "-f", str(FILE), *options, "--run-time", f"{seconds}s"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def output_of(process: subprocess.Popen[str], within_s: float) -> str:
    """Waits for the end of the process and returns its output; kills it after `within_s`."""
    try:
        output, _ = process.communicate(timeout=within_s)
    finally:
        process.kill()
    return output


def test_headless_run_has_no_errors_and_reports_sources_and_stages(mesh: StartedMesh, tmp_path: Path) -> None:
    process = locust([*OPTIONS, "--host", mesh.address, "--csv", str(tmp_path / "run")], SECONDS)
    output = output_of(process, SECONDS + 60)
    assert process.returncode == 0, output
    with (tmp_path / "run_stats.csv").open(newline="") as file:
        stats = {row["Name"]: row for row in csv.DictReader(file)}
    assert {"GetOffer ENSEMBLE", "Score ENSEMBLE", "Aggregated"} <= set(stats)
    assert int(stats["Aggregated"]["Failure Count"]) == 0
    assert int(stats["Aggregated"]["Request Count"]) >= 10 * SECONDS
    assert "fan-out" in output
    assert "\nmodel " in output
    assert "\nRequests by source" in output


def test_catalog_gives_the_game_and_its_players_and_the_steps_are_printed(mesh: StartedMesh, world: World) -> None:
    # `loadtest locust` adds the locustfile by itself.
    command = [sys.executable, "-m", "loadtest", "locust", "--catalog", str(world.catalog), "--scenario", "step"]
    words = ["--headless", "--only-summary", "--users", "20", "--host", mesh.address, "--run-time", "20s"]
    process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = output_of(process, 80)
    assert process.returncode == 0, output
    assert "\nSteps of the load" in output
    assert "the store does not have" not in output


def test_unknown_players_are_reported(mesh: StartedMesh, tmp_path: Path) -> None:
    ids = tmp_path / "players.txt"
    ids.write_text("nobody\n")
    output = output_of(locust([*OPTIONS, "--host", mesh.address, "--player-ids", str(ids)], 4), 64)
    assert "answers are for players that the store does not have" in output


def test_help_has_the_options_of_the_mesh() -> None:
    command = [sys.executable, "-m", "loadtest", "locust", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert all(option in ended.stdout for option in ("--scenario", "--catalog", "--player-ids", "--candidates"))


def test_master_reports_the_stages_of_its_workers(mesh: StartedMesh) -> None:
    port = str(free_port())
    waiting = ["--expect-workers", "1", "--expect-workers-max-wait", "30"]
    options = [*OPTIONS, "--host", mesh.address]
    master = locust([*options, "--master", *waiting, "--master-bind-host", "127.0.0.1", "--master-bind-port", port], 4)
    command = [sys.executable, "-m", "locust", "-f", str(FILE), "--worker", "--master-host", "127.0.0.1"]
    worker = subprocess.Popen(
        [*command, "--master-port", port], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    output = output_of(master, 70)
    worker_output = output_of(worker, 20)
    assert (master.returncode, worker.returncode) == (0, 0), output + worker_output
    assert "GetOffer ENSEMBLE" in output
    assert "fan-out" in output


def test_web_interface_shows_the_stages_and_the_sources(mesh: StartedMesh) -> None:
    web = f"127.0.0.1:{free_port()}"
    host, port = web.split(":")
    options = [*OPTIONS[2:], "--host", mesh.address, "--autostart", "--web-host", host, "--web-port", port]
    process = locust(options, 60)
    try:
        sources = until(lambda: json.loads(fetch(f"http://{web}/sources.json")), lambda page: page["seconds"], process)
        assert "ENSEMBLE" in sources["sources"]
        assert "Plotly.react" in fetch(f"http://{web}/sources")
        assert '"sources"' in fetch(f"http://{web}/")
        stages = [row["what"] for row in json.loads(fetch(f"http://{web}/stages"))]
        assert "fan-out" in stages
        assert any(stage.startswith("model ") for stage in stages)
        stats = json.loads(fetch(f"http://{web}/stats/requests"))
        assert [table["key"] for table in stats["extended_stats"]] == ["stages", "sources", "steps"]
    finally:
        process.terminate()
        output_of(process, 20)


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())


def until(read: Callable[[], Any], holds: Callable[[Any], object], process: subprocess.Popen[str]) -> Any:
    """Calls `read` until `holds` accepts its result; the web interface needs some time to start."""
    end_s = time.monotonic() + 50
    while time.monotonic() < end_s:
        assert process.poll() is None, output_of(process, 5)
        with contextlib.suppress(OSError):
            if holds(found := read()):
                return found
        time.sleep(0.2)
    raise AssertionError("no such page within 50 s")


def test_unreachable_host_is_reported_in_one_line() -> None:
    process = locust([*OPTIONS, "--host", "127.0.0.1:1"], 30)
    output = output_of(process, 25)
    assert process.returncode == 2
    assert "locust: cannot connect to 127.0.0.1:1" in output


def test_wrong_game_is_reported_in_one_line(mesh: StartedMesh) -> None:
    process = locust([*OPTIONS[:-1], "nosuchgame", "--host", mesh.address], 30)
    output = output_of(process, 25)
    assert process.returncode == 2
    assert "locust: the mesh refuses 'nosuchgame': NOT_FOUND" in output
