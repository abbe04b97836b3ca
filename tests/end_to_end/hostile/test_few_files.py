"""More connections than a process may have open files (CVE-2023-4785): open connections work, and it recovers."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import Iterator

import grpc
import pytest

from loadtest.hostile.connection import Target, connected
from tests.end_to_end.hostile.conftest import HostileMesh
from tests.end_to_end.hostile.observed import MAX_LINES, Attacked, steady_traffic

pytestmark = pytest.mark.whole_machine

FREE_FILES, CONNECTIONS = 30, 300
WITHOUT_FILES_S, RECOVERY_S = 3.0, 20.0


@contextlib.contextmanager
def few_files(attacked: Attacked) -> Iterator[None]:
    """Lets the process open only `FREE_FILES` more files during the block."""
    soft, hard = resource.prlimit(attacked.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(attacked.pid, resource.RLIMIT_NOFILE, (attacked.state().files + FREE_FILES, hard))
    try:
        yield
    finally:
        resource.prlimit(attacked.pid, resource.RLIMIT_NOFILE, (soft, hard))


async def accepts_again(attacked: Attacked) -> bool:
    end_s = time.monotonic() + RECOVERY_S
    while time.monotonic() < end_s:
        with contextlib.suppress(grpc.aio.AioRpcError):
            return await attacked.is_serving()
    return False


async def test_process_without_free_files_serves_its_connections_and_recovers(
    attacked: Attacked, hostile_mesh: HostileMesh
) -> None:
    before = attacked.state()
    host, _, port = attacked.address.rpartition(":")
    async with steady_traffic(hostile_mesh.address) as traffic:
        async with asyncio.timeout(RECOVERY_S):
            while not traffic.answers:  # noqa: ASYNC110 (its connection must be open)
                await asyncio.sleep(0.01)
        with few_files(attacked):
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(CONNECTIONS):  # the kernel accepts those that the process cannot
                    connection = await stack.enter_async_context(connected(Target(host, int(port))))
                    await connection.greet()
                await asyncio.sleep(WITHOUT_FILES_S)  # the time of the attack
                assert attacked.state().files >= before.files + FREE_FILES - 2
            assert await accepts_again(attacked)  # while the limit is small: the attackers have left
    after = await attacked.settled(before)
    lines = attacked.new_lines(before)

    assert set(traffic.answers) == {"ENSEMBLE"}, traffic.answers
    assert after.files <= before.files + 1
    assert len(lines) <= MAX_LINES, lines
