"""A channel that follows the certificate of its client, against a server that records who calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.background import in_background
from mesh.tls import renewed_channel
from mesh.tls.channel import ClientSecurity, open_aio_channel
from mesh.tls.live import LiveTls
from mesh.tls.peer import peer_names
from mesh.tls.renewed_channel import RenewedChannel
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.certificates import Certificates, security_with

WITHIN_S = 20.0
ROTATIONS = 10
CALLERS = 8


class Offers(offers_pb2_grpc.OffersServicer):
    """Answers with the name of the caller; answers a stream twice, the second time after `gate` opens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def Score(self, _: object, context: Any) -> offers_pb2.ScoreResponse:
        return offers_pb2.ScoreResponse(reason=name_of(context))

    async def StreamOffers(self, _: object, context: Any) -> AsyncIterator[offers_pb2.GetOfferResponse]:
        yield offers_pb2.GetOfferResponse(reason=name_of(context))
        await self.gate.wait()
        yield offers_pb2.GetOfferResponse(reason=name_of(context))


def name_of(context: Any) -> str:
    (name,) = peer_names(context.auth_context())
    return name


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@asynccontextmanager
async def serving(certificates: Certificates, offers: Offers) -> AsyncIterator[str]:
    server = grpc.aio.server()
    offers_pb2_grpc.add_OffersServicer_to_server(offers, server)  # type: ignore[no-untyped-call]
    credentials = LiveTls(certificates.server()).server_credentials()
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@asynccontextmanager
async def renewed(address: str, security: ClientSecurity) -> AsyncIterator[RenewedChannel[Any]]:
    stub: Callable[[grpc.aio.Channel], Any] = offers_pb2_grpc.OffersStub
    channel = RenewedChannel(lambda: open_aio_channel(address, security), stub, security.files())
    try:
        yield channel
    finally:
        await channel.close()


async def caller_of(channel: RenewedChannel[Any]) -> str:
    answer = await channel.current.Score(offers_pb2.ScoreRequest(), timeout=WITHIN_S)
    return str(answer.reason)


async def test_calls_go_on_while_the_certificate_changes(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewed_channel, "POLL_S", 0.005)
    security = security_with(certificates.files("client", "client-0.mesh"))
    seen: set[str] = set()
    async with serving(certificates, Offers()) as address, renewed(address, security) as channel:

        async def call() -> None:
            while True:
                seen.add(await caller_of(channel))  # an error fails the test

        async with in_background(channel.watch(), *(call() for _ in range(CALLERS))), asyncio.timeout(WITHIN_S):
            for number in range(1, ROTATIONS + 1):
                certificates.files("client", f"client-{number}.mesh")
                while f"client-{number}.mesh" not in seen:  # noqa: ASYNC110 (each answer could be the one)
                    await asyncio.sleep(0.005)
    assert seen == {f"client-{number}.mesh" for number in range(ROTATIONS + 1)}


async def test_open_stream_ends_by_itself_on_the_channel_before(certificates: Certificates) -> None:
    offers = Offers()
    security = security_with(certificates.files("client", "first.mesh"))
    async with serving(certificates, offers) as address, renewed(address, security) as channel:
        stream = channel.current.StreamOffers(iter(()))
        assert (await stream.read()).reason == "first.mesh"
        certificates.files("client", "second.mesh")
        await channel.renew()
        assert await caller_of(channel) == "second.mesh"
        offers.gate.set()
        assert (await stream.read()).reason == "first.mesh"
        assert await stream.read() == grpc.aio.EOF
        assert await stream.code() == grpc.StatusCode.OK


async def test_pair_that_does_not_fit_together_changes_nothing_until_it_does(
    certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    files = certificates.files("client", "first.mesh")
    async with serving(certificates, Offers()) as address, renewed(address, security_with(files)) as channel:
        key = files.key.read_bytes()
        certificates.files("client", "second.mesh")
        second = files.key.read_bytes()
        files.key.write_bytes(key)
        await channel.renew()
        assert await caller_of(channel) == "first.mesh"
        assert "the new certificate is refused, the one before stays in use" in caplog.text
        files.key.write_bytes(second)
        await channel.renew()
        assert await caller_of(channel) == "second.mesh"


async def test_certificate_that_the_server_refuses_is_not_used(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(renewed_channel, "CONNECT_S", 0.2)
    files, other = certificates.files("client", "first.mesh"), Certificates(tmp_path / "other")
    async with serving(certificates, Offers()) as address, renewed(address, security_with(files)) as channel:
        issued = other.authority.issue(["second.mesh"])
        files.cert.write_bytes(issued.cert)
        files.key.write_bytes(issued.key)
        await channel.renew()
        assert await caller_of(channel) == "first.mesh"
        assert "no connection with the new certificate within 0.2 s" in caplog.text
        certificates.files("client", "third.mesh")
        await channel.renew()
        assert await caller_of(channel) == "third.mesh"


async def test_renewal_that_is_cancelled_keeps_the_channel(certificates: Certificates, tmp_path: Path) -> None:
    files, other = certificates.files("client", "first.mesh"), Certificates(tmp_path / "other")
    async with serving(certificates, Offers()) as address, renewed(address, security_with(files)) as channel:
        issued = other.authority.issue(["second.mesh"])
        files.cert.write_bytes(issued.cert)
        files.key.write_bytes(issued.key)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):  # the server refuses the certificate, so the channel is not ready
                await channel.renew()
        assert await caller_of(channel) == "first.mesh"
