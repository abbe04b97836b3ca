"""`mesh up --tls` with a real supervisor and real workers."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.serving import lane_options
from mesh.wire import inference_pb2 as oip
from mesh.wire import inference_pb2_grpc, offers_pb2, offers_pb2_grpc
from tests.mesh.cli.up.test_real_mesh import make_catalog
from tests.started_mesh import StartedMesh, started_mesh

pytestmark = pytest.mark.whole_machine  # real time limits

CALLERS = """callers:
  lobby: {names: [spiffe://studio.example/lobby]}
  friends: {names: [client.mesh]}
"""
WITHIN_S = 20.0


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedMesh]:
    catalog = make_catalog(tmp_path_factory.mktemp("arena"))
    catalog.write_text(catalog.read_text() + CALLERS)
    with started_mesh(catalog, "--json", "--tls") as mesh:
        assert mesh.ready["event"] == "ready"
        yield mesh


def channel(mesh: StartedMesh, address: str, name: str | None, server: str) -> grpc.Channel:
    """A channel with the certificate `name` of the mesh's folder; None: without one."""
    folder = Path(mesh.ready["tls"])
    own = [(folder / f"{name}{end}").read_bytes() for end in (".key", ".pem")] if name else []
    credentials = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes(), *own)
    options = [*lane_options(), ("grpc.ssl_target_name_override", server)] if server else lane_options()
    return grpc.secure_channel(address, credentials, options)


def source_of(mesh: StartedMesh, address: str, name: str | None, server: str = "") -> Any:
    with channel(mesh, address, name, server) as opened:
        stub = offers_pb2_grpc.OffersStub(opened)  # type: ignore[no-untyped-call]
        request = offers_pb2.ScoreRequest(game="arena", player_id="anna")
        return stub.Score(request, timeout=WITHIN_S).source


@pytest.mark.parametrize("name", ["client", "caller-arena-lobby", "verify"])
def test_callers_get_whole_answers(mesh: StartedMesh, name: str) -> None:
    assert source_of(mesh, mesh.address, name) == offers_pb2.ENSEMBLE


def test_supervisor_has_its_name_in_the_mesh(mesh: StartedMesh) -> None:
    assert source_of(mesh, mesh.address, "client", "supervisor.arena.mesh") == offers_pb2.ENSEMBLE


def test_port_of_the_mesh_demands_a_certificate(mesh: StartedMesh) -> None:
    with pytest.raises(grpc.RpcError) as error:
        source_of(mesh, mesh.address, None)
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


def model_name_of(mesh: StartedMesh, name: str) -> str:
    (worker, *_) = mesh.ready["workers"]
    with channel(mesh, worker["address"], name, "worker.arena.mesh") as opened:
        stub = inference_pb2_grpc.GRPCInferenceServiceStub(opened)  # type: ignore[no-untyped-call]
        return str(stub.ModelMetadata(oip.ModelMetadataRequest(name=worker["model"]), timeout=WITHIN_S).name)


@pytest.mark.parametrize("name", ["supervisor", "verify"])
def test_workers_accept_the_supervisor_and_mesh_verify(mesh: StartedMesh, name: str) -> None:
    assert model_name_of(mesh, name) == "first"


@pytest.mark.parametrize("name", ["client", "worker-arena", "caller-arena-lobby"])
def test_workers_refuse_all_others(mesh: StartedMesh, name: str) -> None:
    with pytest.raises(grpc.RpcError, match="only a supervisor may call") as error:
        model_name_of(mesh, name)
    assert error.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_key_of_the_ca_is_not_kept_and_only_the_owner_reads_the_others(mesh: StartedMesh) -> None:
    files = sorted(Path(mesh.ready["tls"]).iterdir())
    assert [file.name for file in files if "ca" in file.stem.split("-")] == ["ca.pem"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
