"""Lanes with TLS: which replicas are refused and why, and the renewal of lanes after a change of the certificate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mesh.tls.files import TlsFiles
from mesh.tls.live import LiveTls
from mesh.tls.throwaway import Authority, Times, files_in, new_authority, write_pem
from supervisor import successors
from supervisor.lane_channels import LaneChannels
from supervisor.pool import ModelPool
from tests.supervisor.replica import Replica, Respond, replica, silent, sums, until
from tests.supervisor.test_lane import HEADER, WITHIN_S, Ask, pool_of, states, why_down

pytestmark = pytest.mark.whole_machine  # real time limits

WORKER, SUPERVISOR = "worker.demo.mesh", "supervisor.demo.mesh"
NOW = datetime.now(UTC)
PAST = Times(NOW - timedelta(days=2), NOW - timedelta(days=1))
LONG = Times(NOW - timedelta(days=9), NOW + timedelta(days=9))
FUTURE = Times(NOW + timedelta(days=1), NOW + timedelta(days=2))


@pytest.fixture(autouse=True)
def _successors_connect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successors, "SPREAD_S", 0.0)


@dataclass(frozen=True)
class Mesh:
    """A folder with the certificates of one supervisor and its replicas."""

    folder: Path
    authority: Authority

    def tls(self, name: str, names: Sequence[str] = (), times: Times | None = None) -> LiveTls:
        """Writes the certificate of `name` and opens it, although it may have expired."""
        files = files_in(self.folder / name, name)
        self.authority.write(files, names or (f"{name}.demo.mesh",), times)
        return LiveTls(files, (lambda: times.not_before) if times else lambda: datetime.now(UTC))

    def trust(self, name: str, *authorities: Authority) -> None:
        write_pem(self.files(name).ca, b"".join(one.cert for one in authorities))

    def files(self, name: str) -> TlsFiles:
        return files_in(self.folder / name, name)


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    return Mesh(tmp_path, new_authority(LONG))


@dataclass(frozen=True)
class World:
    """A pool with lanes to replicas, all with TLS."""

    mesh: Mesh
    pool: ModelPool
    tls: LiveTls  # of the supervisor
    replicas: Sequence[Replica]

    def rotate(self) -> None:
        """The supervisor gets a new certificate of the same CA."""
        self.mesh.authority.write(self.mesh.files("supervisor"), (SUPERVISOR,))
        self.tls.reload()

    def lane_ids(self) -> list[int]:
        return [id(lane) for lane in self.pool.lanes.values()]


@asynccontextmanager
async def world_of(mesh: Mesh, *responds: Respond) -> AsyncIterator[World]:
    """A pool whose lanes to a replica for each of `responds` are up."""
    worker, tls = mesh.tls("worker"), mesh.tls("supervisor")
    async with (
        replica(HEADER, responds[0], tls=worker) as one,
        replica(HEADER, responds[-1], tls=worker) as other,
        pool_of(*(one, other)[: len(responds)], channels=LaneChannels(tls, WORKER)) as pool,
    ):
        tls.subscribe(pool.renew)
        await until(lambda: set(states(pool)) == {"up"})
        yield World(mesh, pool, tls, (one, other)[: len(responds)])


async def test_lane_with_tls_returns_votes(mesh: Mesh) -> None:
    async with world_of(mesh, sums(0.5)) as world:
        ask = Ask(world.pool, [1.0, 2.0])
        assert await ask.failure() is None
        assert ask.votes == [1.5, 2.5]


async def why_refused(fake: Replica, supervisor: LiveTls | None) -> str:
    """Returns why the replica is refused."""
    channels = LaneChannels(supervisor, WORKER) if supervisor else LaneChannels()
    async with pool_of(fake, channels=channels) as pool:
        await until(lambda: states(pool) == ["down"], within_s=WITHIN_S)
        (reason,) = why_down(pool)
        return reason


@pytest.mark.parametrize(
    ("names", "times", "reason"),
    [
        (("worker.other.mesh",), None, "does not have the DNS name worker.demo.mesh"),
        (("spiffe://demo.mesh/worker",), None, "does not have the DNS name worker.demo.mesh"),
        ((WORKER,), PAST, "its certificate has expired"),
        ((WORKER,), FUTURE, "not yet valid; check the clocks"),
    ],
)
async def test_replica_with_a_bad_certificate_is_refused(
    mesh: Mesh, names: Sequence[str], times: Times | None, reason: str
) -> None:
    async with replica(HEADER, tls=mesh.tls("worker", names, times)) as fake:
        assert reason in await why_refused(fake, mesh.tls("supervisor"))


async def test_replica_of_another_ca_is_refused(mesh: Mesh, tmp_path: Path) -> None:
    other = Mesh(tmp_path / "other", new_authority(LONG, "other"))
    tls = other.tls("worker")
    other.trust("worker", mesh.authority)
    tls.reload()
    async with replica(HEADER, tls=tls) as fake:
        assert "is not of a CA in --tls-ca" in await why_refused(fake, mesh.tls("supervisor"))


async def test_plaintext_replica_is_refused(mesh: Mesh) -> None:
    async with replica(HEADER) as fake:
        assert "its port is plaintext" in await why_refused(fake, mesh.tls("supervisor"))


async def test_reason_of_a_plaintext_supervisor_names_tls_at_the_replica(mesh: Mesh) -> None:
    async with replica(HEADER, tls=mesh.tls("worker")) as fake:
        assert "it may require TLS" in await why_refused(fake, None)


@pytest.mark.parametrize("times", [PAST, FUTURE])
async def test_reason_names_the_supervisor_if_the_replica_refuses_its_certificate(mesh: Mesh, times: Times) -> None:
    async with replica(HEADER, tls=mesh.tls("worker")) as fake:
        assert "may refuse the certificate of this supervisor" in await why_refused(
            fake, mesh.tls("supervisor", times=times)
        )


async def test_new_certificate_replaces_the_lanes(mesh: Mesh) -> None:
    async with world_of(mesh, sums(0.5), sums(0.5)) as world:
        before = world.lane_ids()
        world.rotate()
        await until(lambda: not set(before) & set(world.lane_ids()))
        assert [lane.is_stale for lane in world.pool.lanes.values()] == [False, False]
        assert await Ask(world.pool, [1.0]).failure() is None
        await until(lambda: not world.pool._draining.lanes())


async def test_rows_on_the_connection_before_are_answered(mesh: Mesh) -> None:
    async with world_of(mesh, silent) as world:
        (fake,) = world.replicas
        ask = Ask(world.pool, [1.0])
        failure = asyncio.create_task(ask.failure())
        await asyncio.wait_for(fake.received.get(), WITHIN_S)
        (before,) = world.lane_ids()
        world.rotate()
        await until(lambda: world.lane_ids() != [before])
        assert (len(world.pool._draining.lanes()), world.pool.outstanding_rows) == (1, 1)
        fake.release(sums(0.5))
        assert await failure is None
        assert ask.votes == [1.5]
        await until(lambda: not world.pool._draining.lanes())


async def test_lane_whose_successor_is_refused_serves_until_the_successor_is_accepted(mesh: Mesh) -> None:
    async with world_of(mesh, sums(0.5)) as world:
        before = world.lane_ids()
        new = new_authority(name="new")
        files = mesh.files("supervisor")
        new.write(files, (SUPERVISOR,))
        mesh.trust("supervisor", mesh.authority, new)
        world.tls.reload()  # the replica does not know the new CA yet
        ((successor, _),) = world.pool._successors._on_the_way.values()
        await until(lambda: successor.state == "down")
        assert (world.lane_ids(), states(world.pool), world.pool.lanes_stale) == (before, ["up"], 1)
        assert await Ask(world.pool, [1.0]).failure() is None
        mesh.authority.write(files, (SUPERVISOR,))
        world.tls.reload()
        await until(lambda: world.lane_ids() != before)
        assert world.pool.lanes[successor.address] is successor
        assert await Ask(world.pool, [1.0]).failure() is None


async def test_certificate_that_changes_during_a_renewal_is_used_at_the_end(mesh: Mesh) -> None:
    async with world_of(mesh, sums(0.5), sums(0.5)) as world:
        for _ in range(10):
            world.rotate()
            await asyncio.sleep(0)
        await until(lambda: not any(lane.is_stale for lane in world.pool.lanes.values()))
        assert await Ask(world.pool, [1.0]).failure() is None


async def test_successor_is_dropped_with_its_removed_replica(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successors, "SPREAD_S", 600.0)
    async with world_of(mesh, sums(0.5), sums(0.5)) as world:
        world.rotate()
        _, other = world.replicas
        world.pool.assign([other.address])
        assert list(world.pool._successors._on_the_way) == [other.address]
        await until(lambda: not world.pool._draining.lanes())
        (generation,) = world.pool._generations
        assert [lane.address for lane in generation.lanes] == [other.address]


async def test_lane_that_is_lost_connects_again_without_its_successor(
    mesh: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(successors, "SPREAD_S", 600.0)
    async with world_of(mesh, sums(0.5)) as world:
        before = world.lane_ids()
        world.rotate()
        (fake,) = world.replicas
        await fake.stop()
        await until(lambda: states(world.pool) == ["down"])
        assert not world.pool._successors._on_the_way
        port = int(fake.address.rpartition(":")[2])
        async with replica(HEADER, sums(0.5), port=port, tls=mesh.tls("worker")):
            await until(lambda: states(world.pool) == ["up"])
            assert world.lane_ids() == before
            assert not world.pool.lanes[fake.address].is_stale


async def test_no_vote_is_lost_while_certificates_change(mesh: Mesh) -> None:
    async with world_of(mesh, sums(0.5), sums(0.5)) as world:
        failures: list[str | None] = []

        async def ask_on() -> None:
            while True:
                failures.append(await Ask(world.pool, [1.0, 2.0]).failure())

        asking = [asyncio.create_task(ask_on()) for _ in range(8)]
        for _ in range(10):
            before = world.lane_ids()
            world.rotate()
            await until(lambda known=frozenset(before): not known & set(world.lane_ids()))  # type: ignore[misc]
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        assert len(failures) > 10
        assert set(failures) == {None}
        assert world.pool.retried_rows == 0


async def test_close_of_a_pool_closes_its_successors(mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(successors, "SPREAD_S", 600.0)
    async with world_of(mesh, sums(0.5)) as world:
        world.rotate()
        ((_, running),) = world.pool._successors._on_the_way.values()
        await asyncio.wait_for(world.pool.close(), WITHIN_S)
        assert running.done()


async def test_removed_lane_that_goes_up_late_gets_no_successor(mesh: Mesh) -> None:
    async with world_of(mesh, silent) as world:
        (fake,) = world.replicas
        failure = asyncio.create_task(Ask(world.pool, [1.0]).failure())
        await asyncio.wait_for(fake.received.get(), WITHIN_S)
        world.pool.assign([])
        (removed,) = world.pool._draining.lanes()
        world.rotate()
        assert removed.is_stale
        world.pool.on_up(removed)
        assert not world.pool._successors._on_the_way
        fake.release(sums())
        assert await failure is None
