"""Hostile clients at the ports of both services with TLS, without a certificate and with one."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.hostile.attacks.tls import TLS_ATTACKS
from loadtest.hostile.connection import Connection
from loadtest.hostile.frames import PREFACE, settings
from mesh.tls.channel import ClientSecurity
from tests.end_to_end import meshes
from tests.end_to_end.hostile.observed import MAX_GROWTH_MB, MAX_LINES, Attacked, attack, steady_traffic
from tests.end_to_end.meshes import World
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

MODEL, SUPERVISOR = "binary", "supervisor.testgame.mesh"
PLAIN_ATTACKS = ("slow_handshakes", "wrong_preface", "bad_frames")


@pytest.fixture(scope="module")
def tls_mesh(world: World) -> Iterator[StartedMesh]:
    with meshes.running(meshes.with_median_only(world, "hostile-tls.yaml"), "--tls") as mesh:
        yield mesh


@pytest.fixture
def security(tls_mesh: StartedMesh) -> ClientSecurity:
    folder = Path(tls_mesh.ready["tls"])
    return ClientSecurity(folder / "ca.pem", folder / "client.pem", folder / "client.key", SUPERVISOR, None)


@pytest.fixture(params=["supervisor", "worker"])
def attacked(request: pytest.FixtureRequest, tls_mesh: StartedMesh) -> Attacked:
    ready, logs = tls_mesh.ready, Path(tls_mesh.ready["logs"])
    if request.param == "supervisor":
        return Attacked(
            ready["supervisor"]["pid"], ready["address"], "", "supervisor/testgame/p", logs / "supervisor.log"
        )
    one = next(one for one in ready["workers"] if one["model"] == MODEL)
    return Attacked(one["pid"], one["address"], "", f"worker/{MODEL}/6", logs / f"testgame.median.{MODEL}.log")


@pytest.mark.parametrize("name", [*TLS_ATTACKS, *PLAIN_ATTACKS])
async def test_attack_without_a_certificate_gets_nowhere(
    name: str, attacked: Attacked, tls_mesh: StartedMesh, security: ClientSecurity
) -> None:
    before = attacked.state()
    async with steady_traffic(tls_mesh.address, security) as traffic:
        counts = await attack(name, attacked.address, attacked.service)
    after = await attacked.settled(before)
    lines = attacked.new_lines(before)

    assert set(traffic.answers) == {"ENSEMBLE"}, traffic.answers
    assert {outcome.rpartition(": ")[2] for outcome in counts} == {"closed"}, counts
    assert after.memory_mb - before.memory_mb < MAX_GROWTH_MB
    assert after.files <= before.files
    assert len(lines) <= MAX_LINES, lines
    assert not any("Traceback" in line for line in lines), lines


@pytest.mark.parametrize("garbage", [os.urandom(5000), b"GET / HTTP/1.1\r\n\r\n", PREFACE + settings() + b"\xff" * 100])
async def test_garbage_after_the_handshake_closes_the_connection(
    garbage: bytes, tls_mesh: StartedMesh, security: ClientSecurity
) -> None:
    assert security.ca is not None
    context = ssl.create_default_context(cafile=str(security.ca))
    context.load_cert_chain(str(security.cert), str(security.key))
    context.set_alpn_protocols(["h2"])
    host, _, port = tls_mesh.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname=SUPERVISOR)
    await Connection(reader, writer).send(garbage)
    assert await Connection(reader, writer).until_closed(20.0)
    writer.close()
