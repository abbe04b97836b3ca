"""`python -m supervisor` with TLS, as a process: its ports, its certificate, and its health over HTTP."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509

from mesh.tls.files import TlsFiles
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.free_port import free_port
from tests.mesh.tls.certificates import DAY, NOW, Holder, Wish, authority, issue, write
from tests.mesh.tls.clients import WITHIN_S, channel, http, value
from tests.mesh.tls.rotation import ROTATIONS, Rotated, rotate_under_load
from tests.supervisor.backend import ask, write_game
from tests.supervisor.processes import ended, start, supervisor

pytestmark = pytest.mark.whole_machine  # real time limits

NAME = "supervisor.g.mesh"
CA = authority()
SUPERVISOR = Wish(names=[x509.DNSName(NAME)])
END = NOW + 30 * DAY
CLIENT = issue(CA, Wish(names=[x509.DNSName("client.mesh")]))


def options(files: TlsFiles) -> Sequence[object]:
    return "--tls-cert", files.cert, "--tls-key", files.key, "--tls-ca", files.ca


async def outcome(opened: grpc.aio.Channel) -> str:
    """The source of an offer, or the status of the failure."""
    async with opened:
        stub: Any = offers_pb2_grpc.OffersStub(opened)  # type: ignore[no-untyped-call]
        try:
            return str(wire.Source.Name((await stub.GetOffer(ask(), timeout=WITHIN_S)).source))
        except grpc.aio.AioRpcError as error:
            return error.code().name


async def test_port_requires_a_certificate_and_the_token_port_does_not(tmp_path: Path) -> None:
    files = write(tmp_path, issue(CA, SUPERVISOR), CA)
    arguments = ("--catalog", write_game(tmp_path), *options(files), "--token-port", "0", "--metrics-tls")
    async with supervisor(*arguments) as running:
        port, token_port = running.ready["address"], running.ready["token_address"]
        assert port != token_port
        stranger = issue(authority("another CA"), Wish())
        for _ in range(4):  # one of the four servers each
            assert await outcome(channel(port, NAME, CA, CLIENT)) == "FALLBACK"
            assert await outcome(channel(token_port, NAME, CA)) == "FALLBACK"
            assert await outcome(channel(port, NAME, CA)) == "UNAVAILABLE"
            assert await outcome(channel(port, NAME, CA, stranger)) == "UNAVAILABLE"
        assert await outcome(grpc.aio.insecure_channel(token_port)) == "UNAVAILABLE"
        url = f"https://{running.ready['metrics']}"
        assert await asyncio.to_thread(http, f"{url}/readyz", CA) == (200, "ok\n")
        _, metrics = await asyncio.to_thread(http, f"{url}/metrics", CA)
        assert value(metrics, 'mesh_tls_certificate_expiry_timestamp_seconds{certificate="own"}') == END.timestamp()
        assert "mesh_tls_certificate_refused 0.0" in metrics
        assert "mesh_tls_handshakes_total" in metrics
        code, err = await running.stop()
    assert code == 0
    assert [line for line in err.splitlines() if "mesh.tls" in line] == []


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        (Wish(names=SUPERVISOR.names, begin=NOW - 9 * DAY, end=NOW - DAY), "expired"),
        (Wish(names=SUPERVISOR.names, begin=NOW + DAY), "is valid from"),
        (Wish(names=[x509.DNSName("client.mesh")]), f"the name {NAME} (tls.supervisor of the game g) is missing"),
    ],
)
async def test_certificate_that_peers_refuse_prevents_the_start(tmp_path: Path, wish: Wish, fault: str) -> None:
    files = write(tmp_path, issue(CA, wish), CA)
    code, out, err = await ended("--catalog", write_game(tmp_path), *options(files))
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"{files.cert}: ")
    assert fault in line


async def test_port_of_tokens_in_use_is_reported_with_its_option(tmp_path: Path) -> None:
    files = write(tmp_path, issue(CA, SUPERVISOR), CA)
    catalog, port = write_game(tmp_path), free_port()
    with_port = ("--catalog", catalog, *options(files), "--token-port", port)
    async with supervisor(*with_port):
        code, _, err = await ended(*with_port)
    assert code == 2
    assert f"--token-port: cannot listen on 127.0.0.1:{port}" in err


async def test_new_certificate_is_served_and_a_bad_one_never(tmp_path: Path) -> None:
    new_ca = authority("new CA")
    files = write(tmp_path, issue(CA, SUPERVISOR), CA, new_ca)
    async with supervisor("--catalog", write_game(tmp_path), *options(files)) as running:
        address, url = running.ready["address"], f"http://{running.ready['metrics']}/metrics"
        write(tmp_path, issue(new_ca, SUPERVISOR), CA, new_ca)
        await until_served(address, new_ca)
        files.cert.write_text("garbage")
        async with asyncio.timeout(WITHIN_S):
            while "mesh_tls_certificate_refused 1.0" not in (await asyncio.to_thread(http, url))[1]:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
        assert await outcome(channel(address, NAME, new_ca, CLIENT)) == "FALLBACK"
        code, err = await running.stop()
    assert code == 0
    assert err.count("the new certificate is refused") == 1


async def until_served(address: str, ca: Holder) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await outcome(channel(address, NAME, ca, CLIENT)) != "FALLBACK":  # noqa: ASYNC110 (another process has no event)
            await asyncio.sleep(0.1)


async def test_no_call_fails_while_the_certificate_changes_ten_times(tmp_path: Path) -> None:
    new_ca = authority("new CA")
    files = write(tmp_path, issue(CA, SUPERVISOR), CA, new_ca)

    async def offer(opened: grpc.aio.Channel) -> None:
        stub: Any = offers_pb2_grpc.OffersStub(opened)  # type: ignore[no-untyped-call]
        await stub.GetOffer(ask(), timeout=WITHIN_S)

    async with supervisor("--catalog", write_game(tmp_path), *options(files)) as running:
        url = f"http://{running.ready['metrics']}/metrics"
        service = Rotated(tmp_path, running.ready["address"], url, SUPERVISOR, (CA, new_ca), CLIENT)
        assert await rotate_under_load(service, offer) > 100
        code, err = await running.stop()
    assert code == 0
    assert err.count("a new certificate is in use") == ROTATIONS
    assert "ERROR" not in err


async def test_health_over_http_follows_the_start_and_the_drain(tmp_path: Path) -> None:
    port = free_port()
    process = await start("--catalog", write_game(tmp_path), "--metrics-port", port, "--ready-within-s", "600")
    url = f"http://127.0.0.1:{port}"
    try:
        await until_answers(port)
        answers = [(await asyncio.to_thread(http, f"{url}/{path}"))[0] for path in ("healthz", "readyz", "startupz")]
        assert answers == [200, 503, 503]  # it waits for its replicas
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), WITHIN_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
    async with supervisor("--catalog", write_game(tmp_path)) as running:
        url = f"http://{running.ready['metrics']}"
        for path in ("healthz", "readyz", "startupz"):
            assert await asyncio.to_thread(http, f"{url}/{path}") == (200, "ok\n")


async def until_answers(port: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


IMPORTS = """
import runpy, signal, sys, threading
def show(*_):
    print(sorted(name for name in sys.modules if name.partition(".")[0] in {"cryptography", "cffi", "_cffi_backend"}),
        file=sys.stderr)
sys.argv = ["supervisor", *sys.argv[1:]]
signal.signal(signal.SIGUSR1, show)
runpy.run_module("supervisor", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("with_tls", [False, True])
async def test_only_a_process_with_tls_imports_cryptography(tmp_path: Path, with_tls: bool) -> None:
    files = write(tmp_path, issue(CA, SUPERVISOR), CA)
    arguments = ["--catalog", write_game(tmp_path), *(options(files) if with_tls else ())]
    command = [sys.executable, "-c", IMPORTS, *map(str, arguments)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), WITHIN_S)
        process.send_signal(signal.SIGUSR1)
        assert process.stderr is not None
        shown = (await asyncio.wait_for(process.stderr.readline(), WITHIN_S)).decode()
    finally:
        process.kill()
        await process.wait()
    assert ("cryptography" in shown) == with_tls, shown
