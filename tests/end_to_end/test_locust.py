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

from tests.end_to_end.meshes import Mesh
from tests.free_port import free_port

SECONDS = 20 if "CI" in os.environ else 4
FILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"
OPTIONS = ("--headless", "--only-summary", "--users", "20", "--player-rate", "2", "--games", "testgame")


def locust(options: Sequence[str], seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "locust", "-f", str(FILE), *options, "--run-time", f"{seconds}s"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(process: subprocess.Popen[str], patience_s: float) -> str:
    try:
        said, _ = process.communicate(timeout=patience_s)
    finally:
        process.kill()
    return said


def test_a_headless_run_has_no_errors_and_tells_sources_and_stages(mesh: Mesh, tmp_path: Path) -> None:
    process = locust([*OPTIONS, "--host", mesh.address, "--csv", str(tmp_path / "run")], SECONDS)
    said = ended(process, SECONDS + 60)
    assert process.returncode == 0, said
    with (tmp_path / "run_stats.csv").open(newline="") as file:
        stats = {row["Name"]: row for row in csv.DictReader(file)}
    assert {"GetOffer ENSEMBLE", "Score ENSEMBLE", "Aggregated"} <= set(stats)
    assert int(stats["Aggregated"]["Failure Count"]) == 0
    assert int(stats["Aggregated"]["Request Count"]) >= 10 * SECONDS
    assert "fan-out" in said
    assert "\nmodel " in said


def test_a_master_hears_of_its_workers_stages(mesh: Mesh) -> None:
    port = str(free_port())
    waiting = ["--expect-workers", "1", "--expect-workers-max-wait", "30"]
    options = [*OPTIONS, "--host", mesh.address]
    master = locust([*options, "--master", *waiting, "--master-bind-host", "127.0.0.1", "--master-bind-port", port], 4)
    command = [sys.executable, "-m", "locust", "-f", str(FILE), "--worker", "--master-host", "127.0.0.1"]
    worker = subprocess.Popen(
        [*command, "--master-port", port], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = ended(master, 70)
    worker_said = ended(worker, 20)
    assert (master.returncode, worker.returncode) == (0, 0), said + worker_said
    assert "GetOffer ENSEMBLE" in said
    assert "fan-out" in said


def test_the_web_interface_has_the_stages_and_the_sources(mesh: Mesh) -> None:
    web = f"127.0.0.1:{free_port()}"
    host, port = web.split(":")
    options = [*OPTIONS[2:], "--host", mesh.address, "--autostart", "--web-host", host, "--web-port", port]
    process = locust(options, 60)
    try:
        told = until(lambda: json.loads(fetched(f"http://{web}/sources.json")), lambda told: told["seconds"], process)
        assert "ENSEMBLE" in told["sources"]
        assert "Plotly.react" in fetched(f"http://{web}/sources")
        whats = [row["what"] for row in json.loads(fetched(f"http://{web}/stages"))]
        assert "fan-out" in whats
        assert any(what.startswith("model ") for what in whats)
        stats = json.loads(fetched(f"http://{web}/stats/requests"))
        assert stats["extended_stats"][0]["key"] == "stages"
    finally:
        process.terminate()
        ended(process, 20)


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())


def until(look: Callable[[], Any], is_there: Callable[[Any], object], process: subprocess.Popen[str]) -> Any:
    """What `look` finds once it is there; the web interface is not there at once, either."""
    end_s = time.monotonic() + 50
    while time.monotonic() < end_s:
        assert process.poll() is None, ended(process, 5)
        with contextlib.suppress(OSError):
            if is_there(found := look()):
                return found
        time.sleep(0.2)
    raise AssertionError("not there within 50 s")


def test_a_host_that_is_down_is_one_clear_line() -> None:
    process = locust([*OPTIONS, "--host", "127.0.0.1:1"], 30)
    said = ended(process, 25)
    assert process.returncode == 2
    assert "locust: cannot connect to 127.0.0.1:1" in said


def test_a_wrong_game_is_one_clear_line(mesh: Mesh) -> None:
    process = locust([*OPTIONS[:-1], "nosuchgame", "--host", mesh.address], 30)
    said = ended(process, 25)
    assert process.returncode == 2
    assert "locust: the mesh refuses 'nosuchgame': NOT_FOUND" in said
