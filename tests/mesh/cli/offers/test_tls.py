"""`mesh offer`, `mesh score` and `mesh outcome` over TLS: certificates, tokens, and what a server refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from mesh.cli.main import main
from mesh.tls.live import LiveTls
from mesh.tls.peer import peer_names
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.certificates import CLIENT_NAME, SERVER_NAME, Certificates, options_of
from tests.mesh.cli.offers_server import serving

TOKEN = "4f8c-very-secret"


class Callers(offers_pb2_grpc.OffersServicer):
    """Records the names and the token of each caller; refuses all with `refusal`, if a test sets it."""

    def __init__(self) -> None:
        self.seen: list[tuple[frozenset[str], object]] = []
        self.refusal: tuple[grpc.StatusCode, str] | None = None

    def GetOffer(self, _: offers_pb2.GetOfferRequest, context: grpc.ServicerContext) -> offers_pb2.GetOfferResponse:
        self._see(context)
        return offers_pb2.GetOfferResponse()

    def Score(self, _: offers_pb2.ScoreRequest, context: grpc.ServicerContext) -> offers_pb2.ScoreResponse:
        self._see(context)
        return offers_pb2.ScoreResponse()

    def ReportOutcome(
        self, _: offers_pb2.ReportOutcomeRequest, context: grpc.ServicerContext
    ) -> offers_pb2.ReportOutcomeResponse:
        self._see(context)
        return offers_pb2.ReportOutcomeResponse()

    def StreamOutcomes(
        self, reports: Iterator[offers_pb2.ReportOutcomeRequest], context: grpc.ServicerContext
    ) -> Iterator[offers_pb2.ReportOutcomeResponse]:
        self._see(context)
        yield from (offers_pb2.ReportOutcomeResponse(outcome_id=report.outcome_id) for report in reports)

    def _see(self, context: grpc.ServicerContext) -> None:
        metadata = dict(context.invocation_metadata() or ())
        names = peer_names(context.auth_context())  # type: ignore[arg-type]  # wrong stub
        self.seen.append((names, metadata.get("authorization")))
        if self.refusal is not None:
            context.abort(*self.refusal)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def live(certificates: Certificates) -> LiveTls:
    return LiveTls(certificates.server())


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    return file


def commands(address: str, folder: Path) -> list[list[str]]:
    """Each command that calls a supervisor, without options of TLS."""
    outcomes = folder / "outcomes.jsonl"
    outcomes.write_text(json.dumps({"decision_id": "d", "kind": "shown"}))
    at = ["--game", "g", "--address", address]
    ask = ["--player", "anna", *at]
    report = ["outcome", "019ac5d2-0e5c-7cc3-98c4-dc0c0c07398f", "--kind", "shown"]
    return [["offer", *ask], ["score", *ask], [*report, *at], ["outcome", *at, "--file", str(outcomes)]]


def test_every_command_shows_its_certificate(certificates: Certificates, live: LiveTls, tmp_path: Path) -> None:
    callers, client = Callers(), certificates.client()
    with serving(callers, 2, live.server_credentials()) as address:
        for command in commands(address, tmp_path):
            assert main([*command, *options_of(client)]) == 0
    assert callers.seen == [(frozenset({CLIENT_NAME}), None)] * 4


def test_every_command_shows_its_token(
    certificates: Certificates, live: LiveTls, token_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers = Callers()
    monkeypatch.setenv("MESH_TLS_CA", str(certificates.client().ca))
    monkeypatch.setenv("MESH_TLS_NAME", SERVER_NAME)
    with serving(callers, 2, live.server_credentials(require_client=False)) as address:
        for command in commands(address, tmp_path):
            assert main([*command, "--token-file", str(token_file)]) == 0
    assert callers.seen == [(frozenset(), f"Bearer {TOKEN}")] * 4


def test_token_is_not_sent_in_plaintext(
    token_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    callers = Callers()
    with serving(callers, 2) as address:
        for command in commands(address, tmp_path):
            assert main([*command, "--token-file", str(token_file)]) == 2
            assert "a token is sent only over TLS; give --tls-ca too" in capsys.readouterr().err
        monkeypatch.setenv("MESH_TOKEN", TOKEN)
        assert main(commands(address, tmp_path)[0]) == 2
    assert callers.seen == []
    assert TOKEN not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "the mesh does not know this caller: no certificate of it"),
        (grpc.StatusCode.PERMISSION_DENIED, "this caller may not do this: no certificate of it"),
    ],
)
def test_refused_caller_learns_how_it_is_known(
    certificates: Certificates,
    live: LiveTls,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    code: grpc.StatusCode,
    problem: str,
) -> None:
    callers = Callers()
    callers.refusal = code, "no certificate of it"
    with serving(callers, 2, live.server_credentials()) as address:
        for command in commands(address, tmp_path):
            assert main([*command, *options_of(certificates.client())]) == 1
            assert capsys.readouterr().err.startswith(f"{problem}; a caller is known by --tls-cert and --tls-key, or ")


def test_wrong_name_is_reported_with_the_right_one(
    certificates: Certificates, live: LiveTls, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with serving(Callers(), 2, live.server_credentials()) as address:
        assert main([*commands(address, tmp_path)[0], *options_of(certificates.client(), server_name="")]) == 1
    assert f"give --tls-name {SERVER_NAME}" in capsys.readouterr().err


def test_missing_file_is_reported_before_a_connection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*commands("127.0.0.1:1", tmp_path)[0], "--tls-ca", str(tmp_path / "ca.pem")]) == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'ca.pem'}: cannot be read: ")
