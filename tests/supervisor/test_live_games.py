"""A catalog that changes while the supervisor serves: real files, stores and lanes, fake replicas."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mesh.catalog import catalog_file
from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog_file import CatalogFile, load_catalog
from mesh.errors import Misconfigured
from mesh.starvation import CpuStarvation
from supervisor.answers import Source
from supervisor.assembly import open_games
from supervisor.cohort import Cohorts
from supervisor.discovery.port import Endpoints
from supervisor.game import Game
from supervisor.live_games import LiveGames
from supervisor.machine_starvation import MachineStarvation
from supervisor.metrics import Metrics
from supervisor.query import OfferQuery
from supervisor.start_catalogs import load_catalogs
from supervisor.start_up import wait_for_quorums, wait_until_ready
from tests.supervisor.backend import HEADER, write_game
from tests.supervisor.replica import Replica, replica, sums, until

POLL_S = 0.01
V2 = """
  v2:
    traffic: {traffic}
    models: [{{name: m0, uri: m0.txt}}]
"""


@dataclass
class World:
    """A supervisor of game `g`, whose catalog a test rewrites."""

    games: LiveGames
    cohorts: Cohorts
    catalog: Path
    first: str  # the catalog at the start
    replicas: Sequence[Replica]

    @property
    def game(self) -> Game:
        return self.games["g"]

    def write(self, text: str) -> None:
        self.catalog.write_text(text)

    def with_v2(self, traffic: float, **changes: str) -> str:
        """The first catalog with a second version, which has `traffic` percent of the players."""
        text = self.first.replace("  v1:\n", f"  v1:\n    traffic: {100 - traffic:g}\n") + V2.format(traffic=traffic)
        for old, new in changes.items():
            text = text.replace(old, new)
        return text

    def assign(self, versions: Mapping[str, Sequence[str]]) -> None:
        """Gives each of `versions` replicas of the models that it names."""
        addresses = {
            ("g", version, model): [self.replicas[int(model[1])].address]
            for version, models in versions.items()
            for model in models
        }
        self.games.assign(Endpoints(addresses))

    async def scores(self, version: str | None = None) -> tuple[str, Source, dict[str, float]]:
        """Asks for player p1; returns the version, the source and the scores of the offers."""
        game = self.game
        ensemble = game.ensemble("p1", version)
        ticket = game.ticket_to_rank(OfferQuery("p1", version, {}, limit=3), None)
        answer, _ = await ensemble.answer(ticket, self.cohorts)
        return ensemble.name, answer.source, {offer.offer_id: offer.score or 0.0 for offer in answer.offers}


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    path = write_game(folder)
    catalogs = load_catalogs([path])
    starvation = MachineStarvation(CpuStarvation())
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(HEADER, sums(bias))) for bias in (0.0, 0.25, 0.5)]
        games = await stack.enter_async_context(open_games(catalogs.values(), starvation, Metrics()))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        following = asyncio.create_task(games.follow("g", CatalogFile(path, None, catalogs[path], POLL_S)))
        made = World(games, Cohorts(tasks, starvation, 100), path, path.read_text(), replicas)
        made.assign({"v1": ("m0", "m1", "m2")})
        await until(lambda: all(pool.is_up for pool in made.game.ensembles["v1"].panel.pools))
        try:
            yield made
        finally:
            following.cancel()
            await asyncio.wait((following,))


async def test_traffic_changes_without_new_lanes(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        made.write(made.with_v2(0))
        await until(lambda: "v2" in made.game.ensembles)
        v1, v2 = (made.game.ensembles[name].panel.pools for name in ("v1", "v2"))
        made.write(made.with_v2(100))
        await until(lambda: made.game.traffic.shares == {"v1": 0, "v2": 100})
        assert made.game.ensembles["v1"].panel.pools == v1
        assert made.game.ensembles["v2"].panel.pools == v2
        assert await made.scores() == ("v2", Source.ENSEMBLE, {"gold": 5.0, "silver": 3.0, "starter": 2.0})


async def test_another_file_is_wanted_without_new_lanes(tmp_path: Path) -> None:
    wanted, newest = "a" * 64, "b" * 64
    async with (
        world(tmp_path) as made,
        replica(HEADER, sums(9.0), sha256=wanted) as one,
        replica(HEADER, sums(5.0), sha256=newest) as other,
    ):
        pools = made.game.ensembles["v1"].panel.pools
        made.games.assign(Endpoints({("g", "v1", "m0"): [one.address]}))
        await until(lambda: pools[0].is_in_use(wanted))
        made.games.assign(Endpoints({("g", "v1", "m0"): [one.address, other.address]}))
        await until(lambda: pools[0].is_in_use(newest))
        made.write(made.first.replace("uri: m0.txt", f"uri: other.txt, sha256: {wanted}"))
        await until(lambda: pools[0].is_in_use(wanted))
        assert made.game.ensembles["v1"].panel.pools == pools
        assert (one.streams, other.streams) == (1, 1)


async def test_version_gets_traffic_when_all_its_models_are_up(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.write(made.with_v2(100))
        await until(lambda: made.games.is_pending("g"))
        assert made.game.traffic.shares == {"v1": 100}
        assert (await made.scores())[0] == "v1"
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        await until(lambda: not made.games.is_pending("g"))
        assert (await made.scores())[:2] == ("v2", Source.ENSEMBLE)


async def test_newer_catalog_replaces_a_pending_one(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.write(made.with_v2(100))
        await until(lambda: made.games.is_pending("g"))
        made.write(made.with_v2(0))
        await until(lambda: "v2" in made.game.ensembles)
        assert made.game.traffic.shares == {"v1": 100, "v2": 0}
        assert not made.games.is_pending("g")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("quorum: 2", "quorum: 4", "versions.v1.combine.quorum: 4 votes required"),
        ("timeout_ms: 5000", "timeout_ms: 4000", "features: changed; restart the supervisor"),
        ("game: g", "game: h", "game: is 'h'; a running supervisor serves 'g'"),
        ("fallback: starter", "fallback: bronze", "offers.fallback: "),
        ("versions:", "versions: [", "mesh.yaml"),
    ],
)
async def test_faulty_catalog_is_refused_and_the_one_before_stays_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, old: str, new: str, fault: str
) -> None:
    async with world(tmp_path) as made:
        before = made.game
        assert old in made.first
        with caplog.at_level(logging.ERROR, "supervisor.catalog"):
            made.write(made.first.replace(old, new))
            await until(lambda: made.games.is_refused("g"))
        assert fault in caplog.text
        assert made.game is before
        made.write(made.first)
        await until(lambda: not made.games.is_refused("g"))


async def test_each_answer_comes_from_one_catalog(tmp_path: Path) -> None:
    old = {"gold": 5.25, "silver": 3.25, "starter": 2.25}
    new = {"copper": 31.25, "starter": 11.25}
    async with world(tmp_path) as made:
        answers = [await made.scores()]
        (tmp_path / "offers.csv").write_text("offer_id,price\nstarter,10\ncopper,30\n")
        while answers[-1][2] != new:
            answers += await asyncio.gather(*(made.scores() for _ in range(4)))
            assert answers[-1][2] in (old, new)
        assert answers[0][2] == old
        assert {source for _, source, _ in answers} == {Source.ENSEMBLE}


async def test_lanes_of_a_removed_version_are_closed_after_the_last_answer(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        made.write(made.with_v2(100, **{"budget_ms: 10000": "budget_ms: 10"}))
        await until(lambda: "v2" in made.game.ensembles)
        (pool,) = made.game.ensembles["v2"].panel.pools
        assert pool.is_up
        made.write(made.first)
        await until(lambda: "v2" not in made.game.ensembles)
        await until(lambda: not pool.lanes)
        assert (await made.scores())[:2] == ("v1", Source.ENSEMBLE)


async def test_file_that_still_changes_is_not_read(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        parts = [made.with_v2(0)[:cut] for cut in range(100, 700, 20)]
        for part in parts:
            made.write(part)
            await asyncio.sleep(POLL_S / 2)
        made.write(made.with_v2(0))
        await until(lambda: "v2" in made.game.ensembles)


async def test_removed_catalog_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.catalog.unlink()
        await asyncio.sleep(5 * POLL_S)
        assert not made.games.is_refused("g")
        made.write(made.with_v2(0))
        await until(lambda: "v2" in made.game.ensembles)


async def test_change_while_the_catalog_is_read_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as made:
        loads = [made.with_v2(0)]

        def load(path: Path, folder: Path | None, _: str | None = None) -> Catalog:
            found = load_catalog(path, folder)
            if loads:
                made.write(loads.pop())
            return found

        monkeypatch.setattr(catalog_file, "load_catalog", load)
        made.write(made.first.replace("budget_ms: 10000", "budget_ms: 9000"))
        await until(lambda: "v2" in made.game.ensembles)


async def test_table_that_comes_after_its_catalog_is_read(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.write(made.first.replace("offers.csv", "later.csv"))
        await until(lambda: made.games.is_refused("g"))
        (tmp_path / "later.csv").write_text((tmp_path / "offers.csv").read_text())
        await until(lambda: not made.games.is_refused("g"))


class OneChange:
    """A catalog that changes once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def watch(self) -> AsyncIterator[Catalog | Misconfigured]:
        yield self._catalog
        await asyncio.Event().wait()


async def test_table_that_vanishes_after_the_check_does_not_end_the_supervisor(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        before, catalog = made.game, load_catalog(made.catalog)
        (tmp_path / "offers.csv").unlink()
        following = asyncio.create_task(made.games.follow("g", OneChange(catalog)))
        await until(lambda: made.games.is_refused("g") or following.done())
        assert not following.done()
        assert made.game is before
        following.cancel()


async def test_new_categories_make_a_new_pool(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        before = made.game
        text = made.first
        for model in ("m0", "m1", "m2"):
            text = text.replace(f"uri: {model}.txt", f"uri: {model}.txt, categories: [price]")
        assert text != made.first
        made.write(text)
        await until(lambda: made.games.is_refused("g") or made.games.is_pending("g") or made.game is not before)
        assert made.games.is_pending("g")


async def test_pools_stay_with_a_table_that_misses_numbers(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        (tmp_path / "offers.csv").write_text("offer_id,price\nstarter,10\ncopper,\n")
        await until(lambda: made.game.offers is not None and "copper" in made.game.offers.ids)
        pools = made.game.ensembles["v1"].panel.pools
        made.write(made.with_v2(0))
        await until(lambda: "v2" in made.game.ensembles)
        assert made.game.ensembles["v1"].panel.pools == pools


async def test_supervisor_is_ready_when_a_new_catalog_removes_the_model_without_replicas(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.write(made.with_v2(0))
        await until(lambda: "v2" in made.game.ensembles)
        stop = asyncio.Event()
        waits = [asyncio.create_task(wait(made.games, 60, stop)) for wait in (wait_for_quorums, wait_until_ready)]
        await asyncio.sleep(5 * POLL_S)
        assert not any(wait.done() for wait in waits)
        made.write(made.first)
        async with asyncio.timeout(5):
            await asyncio.gather(*waits)
