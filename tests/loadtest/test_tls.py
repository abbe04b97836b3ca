"""Load generators call over TLS, with a certificate or a token."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from loadtest.errors import CannotMeasure
from loadtest.generators.callers import Target
from loadtest.generators.process import Load, generate, no_meter
from loadtest.outcomes import flood
from loadtest.run.job import Job, Question
from loadtest.run.measurement import Setting, ask_all, must_answer
from loadtest.run.sender import send
from loadtest.swarm import calls
from mesh.process import Launch, running
from mesh.tls import renewed_channel
from mesh.tls.channel import PLAINTEXT, ClientSecurity
from mesh.tls.live import LiveTls
from mesh.tls.peer import peer_names
from mesh.tls.token import Token
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.certificates import CLIENT_NAME, SERVER_NAME, Certificates, security_with

BEARER = "Bearer very-secret"


class Offers(offers_pb2_grpc.OffersServicer):
    """Answers callers by name or by token; counts the calls of each."""

    def __init__(self) -> None:
        self.callers: dict[str, int] = {}

    async def Score(self, _: object, context: Any) -> offers_pb2.ScoreResponse:
        await self._count(context)
        return offers_pb2.ScoreResponse(source=offers_pb2.ENSEMBLE)

    async def ReportOutcome(self, _: object, context: Any) -> offers_pb2.ReportOutcomeResponse:
        await self._count(context)
        return offers_pb2.ReportOutcomeResponse()

    async def _count(self, context: Any) -> None:
        token = dict(context.invocation_metadata()).get("authorization", "")
        if token not in ("", BEARER):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no such token")
        for name in (*peer_names(context.auth_context()), *filter(None, (token,))):
            self.callers[name] = self.callers.get(name, 0) + 1


@asynccontextmanager
async def serving(offers: Offers, certificates: Certificates, require_client: bool = True) -> AsyncIterator[str]:
    server = grpc.aio.server()
    offers_pb2_grpc.add_OffersServicer_to_server(offers, server)  # type: ignore[no-untyped-call]
    credentials = LiveTls(certificates.server()).server_credentials(require_client)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


def with_token(certificates: Certificates, folder: Path, text: str = BEARER.split()[1]) -> ClientSecurity:
    file = folder / "token"
    file.write_text(text)
    return ClientSecurity(certificates.client().ca, server_name=SERVER_NAME, token=Token("token", file=file))


def question_at(address: str) -> Question:
    return Question(address, "Score", "g", "", 5000.0, {}, ["anna"])


@pytest.mark.parametrize("shows", ["certificate", "token"])
async def test_senders_of_a_run_show_who_they_are(certificates: Certificates, tmp_path: Path, shows: str) -> None:
    offers, has_token = Offers(), shows == "token"
    security = with_token(certificates, tmp_path) if has_token else security_with(certificates.client())
    async with serving(offers, certificates, require_client=not has_token) as address:
        question = question_at(address)
        await must_answer(question, security)
        setting = Setting(question, 2, 100, 1, None, 2, security=security)
        answers, _ = await ask_all(setting, np.linspace(0, 0.1, 20), 0.1)
    assert [answer.code for answer in answers] == ["OK"] * 20
    assert offers.callers == {BEARER if has_token else CLIENT_NAME: 21}


async def test_long_run_follows_the_certificate(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewed_channel, "POLL_S", 0.01)
    offers, security = Offers(), security_with(certificates.files("client", "first.mesh"))
    async with serving(offers, certificates) as address:
        job = Job(question_at(address), time.monotonic(), np.linspace(0, 2, 200).tolist(), [0] * 200, 100, 1, False, "")
        sending = asyncio.create_task(send(job, security))
        while "first.mesh" not in offers.callers:  # noqa: ASYNC110 (the server has no event)
            await asyncio.sleep(0.01)
        certificates.files("client", "second.mesh")
        codes = {sent[3] for sent in await sending}
    assert codes - {"UNSENT"} == {"OK"}  # a busy machine may not send them all
    assert set(offers.callers) == {"first.mesh", "second.mesh"}


async def test_run_that_does_not_fit_the_server_is_explained(certificates: Certificates, tmp_path: Path) -> None:
    fitting, unknown = security_with(certificates.client()), with_token(certificates, tmp_path, "unknown")
    async with serving(Offers(), certificates) as mutual, serving(Offers(), certificates, False) as tokens:
        for address, security, problem in (
            (mutual, PLAINTEXT, "speaks TLS, but this client plaintext; give --tls-ca"),
            (mutual, replace(fitting, server_name=""), f"give --tls-name {SERVER_NAME}"),
            (mutual, unknown, "demands a certificate of its clients"),
            (tokens, unknown, "UNAUTHENTICATED: no such token; check --tls-cert, --tls-key and --token-file"),
        ):
            with pytest.raises(CannotMeasure, match=problem):
                await must_answer(question_at(address), security)


async def test_players_of_locust_follow_the_certificate(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "LOOK_S", 0.0)
    offers, security = Offers(), security_with(certificates.files("client", "first.mesh"))
    async with serving(offers, certificates) as address:
        link = calls.Link(calls.Target(address, security))

        def ask() -> None:
            link.current().Score(offers_pb2.ScoreRequest(), timeout=5.0)

        await asyncio.to_thread(ask)
        before = link.channel
        certificates.files("client", "second.mesh").key.unlink()
        await asyncio.to_thread(ask)
        assert offers.callers == {"first.mesh": 2}
        certificates.files("client", "third.mesh")
        await asyncio.to_thread(ask)
        assert offers.callers == {"first.mesh": 2, "third.mesh": 1}
        link.channel.close()
        before.close()


@pytest.mark.parametrize("shows", ["certificate", "token"])
async def test_generator_process_shows_who_it_is(certificates: Certificates, tmp_path: Path, shows: str) -> None:
    offers, has_token = Offers(), shows == "token"
    security = with_token(certificates, tmp_path) if has_token else security_with(certificates.client())
    async with serving(offers, certificates, require_client=not has_token) as address:
        load = Load("closed", 0.1, 0.3, Target("grpc", address, "Score", "w15", 20), {}, security)
        result = await generate(load, no_meter, tmp_path)
    assert result.degraded == {}
    assert set(offers.callers) == {BEARER if has_token else CLIENT_NAME}


async def test_flood_of_outcomes_calls_over_tls(certificates: Certificates, tmp_path: Path) -> None:
    offers, security = Offers(), security_with(certificates.client())
    async with serving(offers, certificates) as address:
        command = [sys.executable, "-m", flood.__name__, address, "g", flood.CALLS, "50", "0.3"]
        async with running(Launch("flood", command, log=tmp_path / "log", environment=security.environment())) as one:
            counts = await one.event("counts", 20.0)
    assert counts[flood.TAKEN] > 0
    assert set(counts) == {"event", flood.TAKEN}
    assert set(offers.callers) == {CLIENT_NAME}
