import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.mesh.cli.up.stand_in_mesh import pids_of, up, wait_for_exit
from tests.started_mesh import MESH, STOP_S

pytestmark = pytest.mark.whole_machine  # real time limits


def test_ready_line_contains_all_addresses(tmp_path: Path) -> None:
    with up(tmp_path, "a", "b", flags=("--json", "--replicas", "2")) as mesh:
        ready = mesh.ready

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


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGTERM, "draining\n"), (signal.SIGINT, "draining; press Ctrl-C again to kill all processes\n")],
)
def test_signal_drains_and_leaves_no_process_and_no_file(tmp_path: Path, number: int, line: str) -> None:
    with up(tmp_path, "a", "b") as mesh:
        ready = mesh.ready

        assert mesh.stop(number) == 0

        for pid in pids_of(ready):
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        assert mesh.stdout.rest() == ""
        assert mesh.stderr.rest() == line
        assert list((tmp_path / "tmp").iterdir()) == []


def test_signal_during_the_start_drains(tmp_path: Path) -> None:
    with up(tmp_path, "crash") as mesh:
        mesh.stderr.line("m0 ended after")

        assert mesh.stop() == 0
        assert "Traceback" not in mesh.stderr.rest()


def test_second_ctrl_c_kills_a_mesh_that_does_not_drain(tmp_path: Path) -> None:
    with up(tmp_path, "stubborn") as mesh:
        ready = mesh.ready
        mesh.process.send_signal(signal.SIGINT)
        mesh.stderr.line("draining")

        while mesh.process.poll() is None:
            mesh.process.send_signal(signal.SIGINT)
            try:
                mesh.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue

        assert mesh.process.returncode == 0
        assert "did not drain" not in mesh.stderr.rest()
        wait_for_exit(pids_of(ready))


def test_all_processes_end_when_mesh_up_is_killed(tmp_path: Path) -> None:
    with up(tmp_path, "a") as mesh:
        ready = mesh.ready

        assert mesh.stop(signal.SIGKILL) == -signal.SIGKILL

        wait_for_exit(pids_of(ready))


def test_killed_worker_is_reported_in_one_line_and_its_log_is_kept(tmp_path: Path) -> None:
    with up(tmp_path, "a") as mesh:
        os.kill(mesh.ready["workers"][0]["pid"], signal.SIGKILL)

        line = mesh.stderr.line("ended after")
        assert re.fullmatch(
            r"arena/1/m0 ended after \d+\.\d s: killed by SIGKILL; starts again at once \(log: (.+)\)\n", line
        )
        assert mesh.stop() == 0
        (folder,) = (tmp_path / "tmp").iterdir()
        assert mesh.stderr.rest().splitlines()[-1] == f"logs: {folder}"
        kept = {"arena.1.m0.log", "supervisor.log", "endpoints.json", "arena.0.inputs.json"}
        assert {path.name for path in folder.iterdir()} == kept


def test_crash_is_reported_with_the_last_lines_of_the_log(tmp_path: Path) -> None:
    with up(tmp_path, "crash") as mesh:
        assert "exit code 1; starts again in 0.1 s" in mesh.stderr.line("m0 ended after")
        assert mesh.stderr.line(".") == "    something is broken\n"


def test_refused_model_is_reported_and_the_others_serve(tmp_path: Path) -> None:
    with up(tmp_path, "refused", "b") as mesh:
        ready = mesh.ready

        assert [worker["state"] for worker in ready["workers"]] == ["refused", "ready"]
        assert ready["workers"][0]["address"] is None
        assert mesh.stderr.line("m0") == "arena/1/m0: model_worker: the file is damaged; starts again in 30 s\n"


def test_default_output_is_a_table_with_hints(tmp_path: Path) -> None:
    with up(tmp_path, "a", flags=("--engine", "lightgbm")) as mesh:
        header, row, _, engine, address, logs, hint, watch, _ = (mesh.stdout.line().split() for _ in range(9))

        assert header == ["game", "version", "model", "pid", "address", "metrics", "state"]
        assert (row[:3], row[-1]) == (["arena", "1", "m0"], "ready")
        assert engine == ["engine:", "lightgbm", "(switched", "off)"]
        assert (logs[0], Path(logs[1]).is_dir()) == ("logs:", True)
        assert hint[-2:] == ["--address", address[1].rstrip(",")]
        assert address[3] == f"http://{watch[-1]}/metrics,"
        assert watch[-4:-1] == ["mesh", "top", "--metrics"]


def test_default_output_counts_the_workers_of_each_engine(tmp_path: Path) -> None:
    with up(tmp_path, "a", "b", "proved", flags=()) as mesh:
        line = mesh.stdout.line("^engine:")

        assert line == "engine:     lightgbm (no engine was built) x 2, forest x 1\n"


def test_all_ports_in_use_are_reported_together(tmp_path: Path) -> None:
    fix = "choose another port, or stop the program that uses it"
    with socket.create_server(("127.0.0.1", 0)) as in_use:
        port = in_use.getsockname()[1]
        with up(tmp_path, "a", flags=("--port", str(port), "--metrics-port", str(port))) as mesh:
            assert mesh.process.wait(STOP_S) == 2
            assert mesh.stderr.rest().splitlines() == [
                f"--port and --metrics-port are both {port}; give each its own",
                f"--port {port} of 127.0.0.1: Address already in use; {fix}",
                f"--metrics-port {port} of 127.0.0.1: Address already in use; {fix}",
            ]


def test_supervisor_that_rejects_its_catalog_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", "mesh.yaml: a fault that only the supervisor finds")
    with up(tmp_path, "a") as mesh:
        assert mesh.process.wait(STOP_S) == 2
        assert "mesh.yaml: a fault that only the supervisor finds" in mesh.stderr.rest()


def test_faulty_catalog_starts_no_process(tmp_path: Path) -> None:
    file = tmp_path / "faulty.yaml"
    file.write_text("game: g\n")

    done = subprocess.run([*MESH, "up", str(file)], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        f"{file}:1: features: is missing; add it",
        f"{file}:1: versions: is missing; add it",
    ]
