import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from mesh.cli.main import main
from mesh.cli.status import command


@pytest.fixture
def metrics() -> Iterator[str]:
    """The address of a metrics page like a supervisor's."""
    registry = CollectorRegistry()
    model = ("game", "version", "model")
    Gauge("mesh_lanes", "", (*model, "state"), registry=registry).labels("arena", "1", "whales", "up").set(1)
    Counter("mesh_requests", "", ("game", "version", "source", "reason"), registry=registry)
    Gauge("mesh_starved_share", "", registry=registry).set(0.95)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PERIOD_S", 0.01)


@pytest.mark.usefixtures("_quick")
def test_status_shows_versions_and_models(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--metrics", metrics, "--once"]) == 0

    printed = capsys.readouterr().out.splitlines()
    lines = [line.split() for line in printed]
    assert ["arena", "1", "whales", "1/1", "0", "0", "0", "0", "-", "-"] in lines
    assert ["arena", "1", "-", "0", "0", "0", "-", "-", "-"] in lines
    assert printed[-1] == "cohorts under way 0; CPU wait of the busiest thread: -"


@pytest.mark.usefixtures("_quick")
def test_json_status_is_one_line(metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--metrics", metrics, "--once", "--json"]) == 0

    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["model"], model["lanes_up"], model["lanes"]) == ("whales", 1, 1)


def test_unreachable_mesh_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"

    assert main(["status", "--metrics", address]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cannot read metrics at {address}: ")
    assert line.endswith("; start the mesh with `mesh up`, or correct --metrics")


def test_malformed_metrics_address_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--metrics", "nonsense"]) == 1
    assert capsys.readouterr().err.startswith("cannot read metrics at nonsense: ")


def test_ctrl_c_ends_the_command_without_a_traceback(metrics: str) -> None:
    command = [sys.executable, "-m", "mesh.cli.main", "status", "--metrics", metrics, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (0, "")
