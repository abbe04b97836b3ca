"""The example backends in Python and Node, which use the clients of these languages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from mesh.tls.live import LiveTls
from mesh.tls.peer import peer_names
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.certificates import CLIENT_NAME, SERVER_NAME, Certificates, options_of
from tests.end_to_end.meshes import World
from tests.free_port import free_port
from tests.mesh.cli.offers_server import serving
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

CONTEXT = ("session_minutes=12.5", "platform=ios")
WITHIN_S = 30
THREADS = 8  # each open stream has one


class SecuredCallers(offers_pb2_grpc.OffersServicer):
    """A mesh with TLS that records who calls, at `mutual` by certificate and at `tokens` by token."""

    def __init__(self, certificates: Certificates) -> None:
        self.certificates = certificates
        self.mutual = self.tokens = ""
        self.seen: list[tuple[set[str], object]] = []
        self.refusal: tuple[grpc.StatusCode, str] | None = None

    def StreamOffers(
        self, requests: Iterator[offers_pb2.GetOfferRequest], context: grpc.ServicerContext
    ) -> Iterator[offers_pb2.GetOfferResponse]:
        if self.refusal is not None:
            context.abort(*self.refusal)
        for request in requests:
            self._see(context)
            offers = [offers_pb2.RankedOffer(offer_id="gems")]
            yield offers_pb2.GetOfferResponse(
                request_id=request.request_id, source=offers_pb2.ENSEMBLE, offers=offers, decision_id="d"
            )

    def StreamOutcomes(
        self, requests: Iterator[offers_pb2.ReportOutcomeRequest], context: grpc.ServicerContext
    ) -> Iterator[offers_pb2.ReportOutcomeResponse]:
        for _ in requests:
            self._see(context)
            yield offers_pb2.ReportOutcomeResponse()

    def _see(self, context: grpc.ServicerContext) -> None:
        names = peer_names(context.auth_context())  # type: ignore[arg-type]  # wrong stub
        self.seen.append((set(names), dict(context.invocation_metadata() or ()).get("authorization")))


@pytest.fixture
def callers(tmp_path: Path) -> Iterator[SecuredCallers]:
    certificates = Certificates(tmp_path / "certificates")
    servicer, live = SecuredCallers(certificates), LiveTls(certificates.server())
    with (
        serving(servicer, THREADS, live.server_credentials()) as servicer.mutual,
        serving(servicer, THREADS, live.server_credentials(require_client=False)) as servicer.tokens,
    ):
        yield servicer


ROOT = Path(__file__).parent.parent.parent
MODULES = ROOT / "clients" / "node" / "node_modules"


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
        pytest.skip("the Node client is not built; run `make clients`")
    return [node, str(folder / "get_offer.js")]


def run(program: list[str], *words: str) -> tuple[int, str, str]:
    """Runs a backend; returns its exit code, stdout and stderr."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    done = subprocess.run(
        [*program, *words], env=environment, capture_output=True, text=True, timeout=WITHIN_S, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_backend_gets_an_offer(program: list[str], world: World, mesh: StartedMesh) -> None:
    for _ in range(5):  # again if a busy machine takes longer than the deadline of 250 ms
        code, out, _err = run(program, mesh.address, "testgame", world.players[1].id, *CONTEXT)
        if "(LOCAL)" not in out:
            break
    assert code == 0
    assert "(ENSEMBLE)" in out


def answered(program: list[str], callers: SecuredCallers, *words: str) -> tuple[int, str, str]:
    """Runs a backend; again if a busy machine takes longer than the deadline of 250 ms."""
    for _ in range(5):
        callers.seen.clear()
        code, out, err = run(program, *words, "arena", "anna")
        if "no answer in time" not in out:
            break
    return code, out, err


def test_backend_shows_its_certificate(program: list[str], callers: SecuredCallers) -> None:
    code, out, err = answered(program, callers, *options_of(callers.certificates.client()), callers.mutual)
    assert (code, err) == (0, "")
    assert "(ENSEMBLE)" in out
    assert callers.seen == [({CLIENT_NAME}, None)] * 2  # GetOffer and ReportOutcome


def test_backend_shows_its_token(program: list[str], callers: SecuredCallers, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("very-secret\n")
    tls = ["--tls-ca", str(callers.certificates.client().ca), "--tls-name", SERVER_NAME, "--token-file", str(token)]
    code, out, err = answered(program, callers, *tls, callers.tokens)
    assert (code, err) == (0, "")
    assert "(ENSEMBLE)" in out
    assert callers.seen == [(set(), "Bearer very-secret")] * 2


def test_backend_does_not_send_its_token_in_plaintext(program: list[str], tmp_path: Path) -> None:
    code, out, err = run(program, "--token-file", str(tmp_path / "token"), "127.0.0.1:1", "arena", "anna")
    assert (code, out) == (2, "")
    assert "--token-file needs --tls-ca" in err


def test_unknown_caller_is_reported_to_the_developer(program: list[str], callers: SecuredCallers) -> None:
    callers.refusal = grpc.StatusCode.PERMISSION_DENIED, "GetOffer: is not a method of this caller"
    code, out, err = answered(program, callers, *options_of(callers.certificates.client()), callers.mutual)
    assert code == 0
    assert out.startswith("starter-pack (LOCAL) ")
    assert "GetOffer: is not a method of this caller" in err


def test_wrong_request_is_reported_to_the_developer(program: list[str], world: World, mesh: StartedMesh) -> None:
    code, out, err = run(program, mesh.address, "testgame", world.players[1].id, "platform=7")
    assert (code, out) == (2, "")
    assert err.startswith("wrong request: ")
    assert "context.platform: is number, but the catalog declares text" in err


def test_backend_shows_its_default_offer_while_the_mesh_is_out_of_reach(program: list[str]) -> None:
    address = f"127.0.0.1:{free_port()}"
    code, out, err = run(program, address, "testgame", "anna", "--default-offer", "gold")
    assert code == 0
    assert out.startswith(f"gold (LOCAL) no supervisor is connected: {address}: UNAVAILABLE: ")
    assert "no connection to the supervisor at 127.0.0.1:" in err


def test_backend_without_arguments_prints_its_usage(program: list[str]) -> None:
    code, out, err = run(program)
    assert (code, out) == (2, "")
    assert "usage: get_offer" in err
