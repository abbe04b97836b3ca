"""One mesh for all tests that leave it unchanged."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes
from tests.started_mesh import StartedMesh


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> meshes.World:
    return meshes.build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def mesh(world: meshes.World) -> Iterator[StartedMesh]:
    with meshes.running(world.catalog) as running:
        yield running


@pytest.fixture(scope="session")
def offers(mesh: StartedMesh) -> Iterator[offers_pb2_grpc.OffersStub]:
    with grpc.insecure_channel(mesh.address) as channel:
        yield offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
