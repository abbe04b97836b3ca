"""Callers of supervisor processes: their start, what changes with the catalog, and reflection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from mesh.tls import throwaway
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.supervisor.backend import ask, write_game
from tests.supervisor.callers.fake_call import LOBBY, TOKEN, TOKEN_SHA256
from tests.supervisor.processes import WITHIN_S, Running, ended, supervisor

pytestmark = pytest.mark.whole_machine  # real processes

BY_NAME = f'{{lobby: {{names: ["{LOBBY}"]}}}}'
BY_TOKEN = f"{{shop: {{token_sha256: [{TOKEN_SHA256}]}}}}"
ADDRESSES = {"certificate": "address", "token": "token_address"}


class Secrets:
    """A CA, the files of a supervisor, and channels to a running one."""

    def __init__(self, folder: Path) -> None:
        self._authority = throwaway.new_authority()
        files = throwaway.files_in(folder / "tls", "supervisor")
        self._authority.write(files, ["supervisor.g.mesh"])
        self.options = [f"--tls-cert={files.cert}", f"--tls-key={files.key}", f"--tls-ca={files.ca}", "--token-port=0"]
        own = self._authority.issue([LOBBY])
        self._credentials = {
            "certificate": grpc.ssl_channel_credentials(self._authority.cert, own.key, own.cert),
            "token": grpc.ssl_channel_credentials(self._authority.cert),
        }

    def channel(self, running: Running, kind: str) -> grpc.aio.Channel:
        options = [("grpc.ssl_target_name_override", "supervisor.g.mesh")]
        return grpc.aio.secure_channel(running.ready[ADDRESSES[kind]], self._credentials[kind], options)


def stub_of(channel: grpc.aio.Channel) -> Any:
    return offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]


async def code_of(stub: Any, token: str = "") -> str:
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    try:
        answer = await stub.GetOffer(ask(), timeout=WITHIN_S, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    assert answer.source == wire.FALLBACK  # there are no workers
    return "OK"


async def until_codes(ask_all: Callable[[], Any], expected: Mapping[str, str]) -> None:
    """Asks again and again, until every peer gets its expected code."""
    async with asyncio.timeout(WITHIN_S):
        while (await ask_all()) != expected:  # noqa: ASYNC110 (another process has no event)
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("callers", "missing"), [(BY_NAME, "no TLS"), (BY_TOKEN, "no port for tokens")])
async def test_supervisor_whose_ports_cannot_recognise_its_callers_does_not_start(
    tmp_path: Path, callers: str, missing: str
) -> None:
    code, out, err = await ended("--catalog", write_game(tmp_path, callers=callers))
    assert (code, out) == (2, "")
    assert missing in err
    assert "Traceback" not in err


async def test_callers_change_with_the_catalog_while_the_supervisor_runs(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    catalog = write_game(tmp_path, callers=BY_NAME)
    async with (
        supervisor("--catalog", catalog, *secrets.options) as running,
        secrets.channel(running, "certificate") as certified,
        secrets.channel(running, "token") as open_channel,
    ):
        by_certificate, by_token = stub_of(certified), stub_of(open_channel)

        async def codes() -> dict[str, str]:
            return {
                "certificate": await code_of(by_certificate),
                "token": await code_of(by_token, TOKEN),
                "wrong token": await code_of(by_token, "wrong"),
                "nothing": await code_of(by_token),
            }

        stranger = "UNAUTHENTICATED"
        known = {"certificate": "OK", "token": stranger, "wrong token": stranger, "nothing": stranger}
        assert await codes() == known
        stream = by_certificate.StreamOffers(timeout=WITHIN_S)
        await stream.write(ask(request_id="r1"))
        assert (await stream.read()).source == wire.FALLBACK
        for callers, changed in (
            (BY_TOKEN, {"certificate": stranger, "token": "OK"}),
            (BY_NAME.replace("]}", "], methods: [Score]}"), {"certificate": "PERMISSION_DENIED"}),
            ("{anyone: true}", {"certificate": "OK", "nothing": "OK"}),
        ):
            write_game(tmp_path, callers=callers)
            await until_codes(codes, {**known, "certificate": stranger, **changed})
            await stream.write(ask(request_id="r2"))
            error = (await stream.read()).error.code
            assert error == (0 if changed.get("certificate") == "OK" else grpc.StatusCode.PERMISSION_DENIED.value[0])
        code, err = await running.stop()
        assert (code, "Traceback" in err) == (0, False)


async def test_catalog_whose_callers_the_ports_cannot_recognise_is_refused(tmp_path: Path) -> None:
    catalog = write_game(tmp_path, callers="{anyone: true}")
    async with supervisor("--catalog", catalog) as running:
        assert (await running.offer()).source == wire.FALLBACK
        write_game(tmp_path, callers=BY_NAME)
        stderr = running.process.stderr
        assert stderr is not None
        line = (await asyncio.wait_for(stderr.readline(), WITHIN_S)).decode()
        assert "g: the new catalog is refused, the one before stays in force: g: callers.lobby.names: is recog" in line
        assert (await running.offer()).source == wire.FALLBACK


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ([], "mesh.v1.Offers"),
        (["--no-reflection"], "UNIMPLEMENTED"),
    ],
)
async def test_reflection_can_be_switched_off(tmp_path: Path, option: list[str], expected: str) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(supervisor("--catalog", write_game(tmp_path), *option))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(running.ready["address"]))
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([request]), timeout=WITHIN_S)
        try:
            services = [one.name async for answer in call for one in answer.list_services_response.service]
        except grpc.aio.AioRpcError as error:
            services = [error.code().name]
        assert expected in services
