"""grpcurl and ghz read the contract by reflection and call the mesh: they have no .proto file here."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.end_to_end.meshes import World
from tests.started_mesh import StartedMesh
from tests.tools import tool

pytestmark = pytest.mark.whole_machine

HOW = "install Go and run `make grpc-tools`"
WITHIN_S = 60


@pytest.fixture
def grpcurl() -> str:
    return tool("grpcurl", HOW)


@pytest.fixture
def ghz() -> str:
    return tool("ghz", HOW)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def request(world: World) -> str:
    return json.dumps({"game": "testgame", "player_id": world.players[1].id, "limit": 2})


def worker(mesh: StartedMesh) -> dict[str, Any]:
    """The first worker in the ready line."""
    first: dict[str, Any] = mesh.ready["workers"][0]
    return first


def test_grpcurl_describes_methods_fields_and_values(grpcurl: str, mesh: StartedMesh) -> None:
    wanted = {
        "mesh.v1.Offers": "rpc GetOffer ( .mesh.v1.GetOfferRequest ) returns ( .mesh.v1.GetOfferResponse );",
        "mesh.v1.Offers.GetOffer": "rpc GetOffer ( .mesh.v1.GetOfferRequest ) returns ( .mesh.v1.GetOfferResponse );",
        "mesh.v1.GetOfferRequest.player_id": "string player_id = 2;",
        "mesh.v1.Source": "PARTIAL = 2;",
        "grpc.health.v1.Health.Check": "rpc Check (",
        "grpc.reflection.v1.ServerReflection": "rpc ServerReflectionInfo (",
    }
    for symbol, text in wanted.items():
        assert text in run(grpcurl, "-plaintext", mesh.address, "describe", symbol)


def test_grpcurl_calls_the_supervisor_and_a_worker(grpcurl: str, world: World, mesh: StartedMesh) -> None:
    answer = json.loads(run(grpcurl, "-plaintext", "-d", request(world), mesh.address, "mesh.v1.Offers/GetOffer"))
    assert (answer["source"], len(answer["offers"])) == ("ENSEMBLE", 2)
    one = worker(mesh)
    method = "inference.GRPCInferenceService/ModelMetadata"
    metadata = run(grpcurl, "-plaintext", "-d", json.dumps({"name": one["model"]}), one["address"], method)
    assert json.loads(metadata)["name"] == one["model"]


def test_ghz_calls_by_reflection(ghz: str, world: World, mesh: StartedMesh) -> None:
    options = ("--insecure", "--call", "mesh.v1.Offers.GetOffer", "-d", request(world), "-n", "20", "-c", "2")
    report = json.loads(run(ghz, *options, "--format", "json", mesh.address))
    assert report["statusCodeDistribution"] == {"OK": 20}
