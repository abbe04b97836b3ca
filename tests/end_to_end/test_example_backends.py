"""The example backends: in Python with our stubs, and in Node with only the public gRPC package and the .proto file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.meshes import World
from tests.free_port import free_port
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

ROOT = Path(__file__).parent.parent.parent
MODULES = ROOT / "build" / "node" / "node_modules"
CONTEXT = ("session_minutes=12.5", "platform=ios")
WITHIN_S = 30


@pytest.fixture(params=["python", "node"])
def program(request: pytest.FixtureRequest) -> list[str]:
    """The command of an example backend."""
    folder = ROOT / "examples" / "backends"
    if request.param == "python":
        return [sys.executable, str(folder / "get_offer.py")]
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (MODULES / "@grpc" / "grpc-js").is_dir():
        pytest.skip("@grpc/grpc-js is not installed (npm install --prefix build/node @grpc/grpc-js @grpc/proto-loader)")
    return [node, str(folder / "get_offer.js")]


def run(program: list[str], *words: str) -> tuple[int, str, str]:
    """Runs a backend; returns its exit code, stdout and stderr."""
    environment = {**os.environ, "NODE_PATH": str(MODULES), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*program, *words], env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_backend_gets_an_offer(program: list[str], world: World, mesh: StartedMesh) -> None:
    code, out, err = run(program, mesh.address, "testgame", world.players[1].id, *CONTEXT)
    assert (code, err) == (0, "")
    assert "(ENSEMBLE)" in out


def test_wrong_request_is_reported_to_the_developer(program: list[str], world: World, mesh: StartedMesh) -> None:
    code, out, err = run(program, mesh.address, "testgame", world.players[1].id, "platform=7")
    assert (code, out) == (2, "")
    assert err.startswith("wrong request: ")
    assert "context.platform: is number, but the catalog declares text" in err


def test_backend_shows_its_default_offer_while_the_mesh_is_out_of_reach(program: list[str]) -> None:
    code, out, err = run(program, f"127.0.0.1:{free_port()}", "testgame", "anna", "--default-offer", "gold")
    assert (code, err) == (0, "")
    assert out.startswith("gold (out of reach: no connection to 127.0.0.1:")


def test_backend_without_arguments_prints_its_usage(program: list[str]) -> None:
    code, out, err = run(program)
    assert (code, out) == (2, "")
    assert "usage: get_offer" in err
