"""A game backend in Node that uses only the public gRPC package and the .proto file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.meshes import World
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

ROOT = Path(__file__).parent.parent.parent
MODULES = ROOT / "build" / "node" / "node_modules"


def test_node_backend_gets_an_offer(world: World, mesh: StartedMesh) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (MODULES / "@grpc" / "grpc-js").is_dir():
        pytest.skip("@grpc/grpc-js is not installed (npm install --prefix build/node @grpc/grpc-js @grpc/proto-loader)")

    output = subprocess.run(
        [node, str(ROOT / "examples" / "backends" / "get_offer.js"), mesh.address, "testgame", world.players[1].id],
        env={**os.environ, "NODE_PATH": str(MODULES)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout

    assert "(ENSEMBLE)" in output, output
