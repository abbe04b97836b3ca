import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mesh.cli.up.up_process import STOP_S, exits, pids_of, up


def test_the_ready_line_says_where_everything_is(tmp_path: Path) -> None:
    with up(tmp_path, "a", "b", flags=("--json", "--replicas", "2")) as mesh:
        ready = mesh.ready()

        assert ready["event"] == "ready"
        assert [(worker["model"], worker["replica"], worker["state"]) for worker in ready["workers"]] == [
            ("m0", 0, "ready"), ("m1", 0, "ready"), ("m0", 1, "ready"), ("m1", 1, "ready")
        ]  # fmt: skip
        assert {(worker["game"], worker["version"]) for worker in ready["workers"]} == {("arena", "1")}
        assert {(worker["engine"], worker["engine_reason"]) for worker in ready["workers"]} == {
            ("lightgbm", "no engine was built")
        }
        for address in (ready["address"], ready["metrics"], *(worker["address"] for worker in ready["workers"])):
            host, port = address.split(":")
            socket.create_connection((host, int(port)), timeout=STOP_S).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    with up(tmp_path, "a", "b") as mesh:
        ready = mesh.ready()

        assert mesh.stop(number) == 0

        for pid in pids_of(ready):
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert mesh.stdout.read() == ""
        assert mesh.errors() == "draining; a second Ctrl-C ends everything at once\n"
        assert list((tmp_path / "tmp").iterdir()) == []


def test_a_signal_during_the_start_drains_too(tmp_path: Path) -> None:
    with up(tmp_path, "crash") as mesh:
        mesh.line("m0 ended after")

        assert mesh.stop() == 0
        assert "Traceback" not in mesh.errors()


def test_a_second_ctrl_c_ends_a_mesh_that_does_not_drain(tmp_path: Path) -> None:
    with up(tmp_path, "stubborn") as mesh:
        ready = mesh.ready()
        mesh.process.send_signal(signal.SIGINT)
        mesh.line("draining")

        while mesh.process.poll() is None:
            mesh.process.send_signal(signal.SIGINT)
            try:
                mesh.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue

        assert mesh.process.returncode == 0
        assert "did not drain" not in mesh.errors()
        exits(pids_of(ready))


def test_processes_end_when_mesh_up_is_killed(tmp_path: Path) -> None:
    with up(tmp_path, "a") as mesh:
        ready = mesh.ready()

        assert mesh.stop(signal.SIGKILL) == -signal.SIGKILL

        exits(pids_of(ready))


def test_a_death_is_one_line_and_its_log_is_kept(tmp_path: Path) -> None:
    with up(tmp_path, "a") as mesh:
        os.kill(mesh.ready()["workers"][0]["pid"], signal.SIGKILL)

        line = mesh.line("ended after")
        assert re.fullmatch(
            r"arena/1/m0 ended after \d+\.\d s: killed by SIGKILL; starts again at once \(log: (.+)\)\n", line
        )
        assert mesh.stop() == 0
        (folder,) = (tmp_path / "tmp").iterdir()
        assert mesh.errors().splitlines()[-1] == f"the logs are in {folder}"
        assert {path.name for path in folder.iterdir()} == {"arena.1.m0.log", "supervisor.log", "endpoints.json"}


def test_a_crash_shows_the_last_lines_of_the_process(tmp_path: Path) -> None:
    with up(tmp_path, "crash") as mesh:
        assert "exit code 1; starts again in 0.1 s" in mesh.line("m0 ended after")
        assert mesh.line(".") == "    something is broken\n"


def test_a_refused_model_is_told_and_the_rest_serves(tmp_path: Path) -> None:
    with up(tmp_path, "refused", "b") as mesh:
        ready = mesh.ready()

        assert [worker["state"] for worker in ready["workers"]] == ["refused", "ready"]
        assert ready["workers"][0]["address"] is None
        assert mesh.line("m0") == "arena/1/m0: model_worker: the file is damaged; starts again in 30 s\n"


def test_people_get_a_table_and_a_hint(tmp_path: Path) -> None:
    with up(tmp_path, "a", flags=("--engine", "lightgbm")) as mesh:
        out = mesh.stdout
        header, row, _, engine, address, hint, _ = (out.readline().split() for _ in range(7))

        assert header == ["game", "version", "model", "pid", "address", "metrics", "state"]
        assert (row[:3], row[-1]) == (["arena", "1", "m0"], "ready")
        assert engine == ["scored", "by:", "lightgbm", "(switched", "off)"]
        assert hint[-2:] == ["--address", address[1].rstrip(",")]


def test_people_see_how_many_workers_score_by_which_engine(tmp_path: Path) -> None:
    with up(tmp_path, "a", "b", "proved", flags=()) as mesh:
        told = next(line for line in iter(mesh.stdout.readline, "") if line.startswith("scored by"))

        assert told == "scored by:  lightgbm (no engine was built) x 2, forest x 1\n"


def test_what_keeps_a_mesh_from_starting_is_reported_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with up(tmp_path, "a", flags=("--port", str(port), "--metrics-port", str(port))) as mesh:
            assert mesh.process.wait(STOP_S) == 2
            assert mesh.errors().splitlines() == [
                f"--port and --metrics-port are both {port}; give each its own",
                f"--port {port} of 127.0.0.1: Address already in use; choose another, or end what listens there",
                f"--metrics-port {port} of 127.0.0.1: Address already in use; choose another, "
                "or end what listens there",
            ]


def test_a_supervisor_that_refuses_its_catalog_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", "mesh.yaml: something only it knows")
    with up(tmp_path, "a") as mesh:
        assert mesh.process.wait(STOP_S) == 2
        assert "mesh.yaml: something only it knows" in mesh.errors()


def test_a_faulty_catalog_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "faulty.yaml"
    file.write_text("game: g\n")
    command = [sys.executable, "-m", "mesh.cli.main", "up", str(file)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"{file}:1: features: is missing; add it",
        f"{file}:1: versions: is missing; add it",
    ]
