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
from supervisor import start_up
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
from supervisor.state_metrics import StateOnDemand
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
async def world(folder: Path, catalog: Path | None = None) -> AsyncIterator[World]:
    path = catalog or write_game(folder)
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


async def test_version_gets_traffic_when_all_its_models_are_up(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.write(made.with_v2(100))
        await until(lambda: made.games.is_pending("g"))
        assert made.game.traffic.shares == {"v1": 100}
        assert (await made.scores())[0] == "v1"
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        await until(lambda: not made.games.is_pending("g"))
        assert (await made.scores())[:2] == ("v2", Source.ENSEMBLE)


async def test_version_that_is_not_ready_leaves_its_players_to_the_version_that_had_them(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.write(made.with_v2(99))
        await until(lambda: made.games.is_waiting("g", "v2"))
        assert made.games.is_pending("g")
        assert made.game.traffic.shares == {"v1": 100, "v2": 0}
        assert (await made.scores())[:2] == ("v1", Source.ENSEMBLE)
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        await until(lambda: not made.games.is_pending("g"))
        assert made.game.traffic.shares == {"v1": 1, "v2": 99}
        assert (await made.scores())[:2] == ("v2", Source.ENSEMBLE)


async def test_version_that_never_becomes_ready_does_not_block_the_next_change(tmp_path: Path) -> None:
    v3 = V2.format(traffic=10).replace("v2", "v3")
    async with world(tmp_path) as made:
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        made.write(made.with_v2(50))
        await until(lambda: made.game.traffic.shares == {"v1": 50, "v2": 50})
        made.write(made.with_v2(50).replace("traffic: 50", "traffic: 45") + v3)
        await until(lambda: made.games.is_waiting("g", "v3"))
        rolled_back = made.with_v2(0).replace("traffic: 100", "traffic: 90") + v3
        made.write(rolled_back)
        await until(lambda: made.game.traffic.shares == {"v1": 100, "v2": 0, "v3": 0})
        assert made.games.is_waiting("g", "v3")


TWO_MODELS = "models: [{name: m0, uri: m0.txt}, {name: m1, uri: m1.txt}, {name: m2, uri: m2.txt}]"


@pytest.mark.parametrize(("ready", "is_served"), [("all", False), ("quorum", True)])
async def test_first_players_come_with_all_models_or_with_the_quorum(
    tmp_path: Path, ready: str, is_served: bool
) -> None:
    async with world(tmp_path) as made:
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0", "m2")})
        text = made.with_v2(99).replace("models: [{name: m0, uri: m0.txt}]", f"ready: {ready}\n    {TWO_MODELS}")
        made.write(text)
        await until(lambda: "v2" in made.game.ensembles)
        v2 = made.game.ensembles["v2"].panel.pools
        await until(lambda: v2[0].is_up and v2[2].is_up)
        if is_served:
            await until(lambda: not made.games.is_pending("g"))
            assert (await made.scores())[:2] == ("v2", Source.PARTIAL)
        else:
            await asyncio.sleep(0.2)  # more than two looks at the replicas
            assert made.games.is_waiting("g", "v2")


async def test_version_that_had_players_gets_them_back_without_a_model_that_has_just_failed(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.games.begin()
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        made.write(made.with_v2(100))
        await until(lambda: made.game.traffic.shares == {"v1": 0, "v2": 100})
        made.assign({"v1": ("m0", "m1"), "v2": ("m0",)})
        made.write(made.with_v2(0))
        await until(lambda: made.game.traffic.shares == {"v1": 100, "v2": 0})
        assert (await made.scores())[:2] == ("v1", Source.PARTIAL)


async def test_start_with_a_version_that_cannot_be_served_gives_its_players_to_the_others(tmp_path: Path) -> None:
    path = write_game(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("  v1:\n", "  v1:\n    traffic: 1\n") + V2.format(traffic=99))
    async with world(tmp_path, path) as made:
        assert (await made.scores())[0] == "v2"
        made.games.begin()
        assert made.games.is_waiting("g", "v2")
        assert (await made.scores())[:2] == ("v1", Source.ENSEMBLE)
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        await until(lambda: not made.games.is_waiting("g", "v2"))
        assert (await made.scores())[:2] == ("v2", Source.ENSEMBLE)


async def test_catalog_that_waits_during_the_start_gives_no_players_to_a_version_that_cannot_be_served(
    tmp_path: Path,
) -> None:
    path = write_game(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("  v1:\n", "  v1:\n    traffic: 1\n") + V2.format(traffic=99))
    async with world(tmp_path, path) as made:
        before = made.game
        made.assign({"v1": ("m0", "m1"), "v2": ()})
        made.write(made.first.replace("uri: m2.txt", "uri: m3.txt"))  # v1 waits for it
        await until(lambda: made.games.is_pending("g"))
        made.games.begin()
        assert made.games.is_waiting("g", "v2")
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ()})
        await until(lambda: made.game is not before)
        assert (await made.scores())[:2] == ("v1", Source.ENSEMBLE)


async def test_start_without_any_replica_leaves_the_players_where_they_are(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign({})
        await until(lambda: not any(pool.is_up for pool in made.game.ensembles["v1"].panel.pools))
        made.games.begin()
        assert not made.games.is_pending("g")
        assert (await made.scores())[:2] == ("v1", Source.FALLBACK)


async def test_supervisor_listens_soon_after_one_version_can_be_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_up, "OTHERS_S", 0.05)
    path = write_game(tmp_path)
    text = path.read_text()
    path.write_text(text.replace("  v1:\n", "  v1:\n    traffic: 50\n") + V2.format(traffic=50))
    async with world(tmp_path, path) as made, asyncio.timeout(10):
        await wait_for_quorums(made.games, 600, asyncio.Event())


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
        ("budget_ms", "tls: {worker: other.mesh}\nbudget_ms", "tls: changed; restart the workers and the supervisor"),
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


async def test_message_about_a_new_catalog_names_its_rollout(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with world(tmp_path) as made:
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        plan = "rollout: {start: 2020-01-01T00:00:00Z, steps: [5, 25], hold_s: 1}"
        with caplog.at_level(logging.INFO, "supervisor.catalog"):
            made.write(made.with_v2(0).replace("traffic: 0", plan))
            await until(lambda: "in force" in caplog.text)
        assert any(text.endswith("; the rollout of v2 changes it") for text in caplog.messages)


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


SHARING = """
members: [{name: m0, uri: m0.txt}, {name: m1, uri: m1.txt}]
versions:
  v1: {traffic: 50, combine: {quorum: 2}, models: [{member: m0}, {member: m1}, {name: m2, uri: m2.txt}]}
"""
V2_SHARES = "  v2: {traffic: 50, models: [{name: m2, uri: other.txt}, {member: m1, weight: 2}, {member: m0}]}\n"


def _sharing(made: World, *versions: str) -> str:
    head, _, _ = made.first.partition("versions:")
    text = head.replace("budget_ms: 10000", "budget_ms: 500") + SHARING.lstrip() + "".join(versions)
    return text if versions else text.replace("traffic: 50", "traffic: 100")


async def test_version_that_shares_models_comes_and_goes_without_new_lanes_for_them(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign({"shared": ("m0", "m1"), "v1": ("m2",), "v2": ("m2",)})
        made.write(_sharing(made))
        await until(lambda: bool(made.game.catalog.members))
        before = made.game.ensembles["v1"].panel.pools
        streams = [one.streams for one in made.replicas[:2]]
        made.write(_sharing(made, V2_SHARES))
        await until(lambda: "v2" in made.game.ensembles)
        m0, m1, m2 = made.game.ensembles["v1"].panel.pools
        other, *shared = made.game.ensembles["v2"].panel.pools
        assert ((m0, m1, m2), shared) == (before, [m1, m0])
        assert other is not m2
        await until(lambda: all(pool.is_up for pool in (m0, m1, m2, other)))
        assert made.game.ensembles["v1"].route is made.game.ensembles["v2"].route
        assert (await made.scores("v1"))[2] == {"gold": 5.25, "silver": 3.25, "starter": 2.25}
        assert (await made.scores("v2"))[2] == {"gold": 5.25, "silver": 3.25, "starter": 2.25}
        made.write(_sharing(made, V2_SHARES).replace("  v1: {traffic: 50", "  v0: {traffic: 50").replace("v1:", "v0:"))
        await until(lambda: set(made.game.ensembles) == {"v0", "v2"} or made.games.is_pending("g"))
        made.assign({"shared": ("m0", "m1"), "v0": ("m2",), "v2": ("m2",)})
        await until(lambda: set(made.game.ensembles) == {"v0", "v2"})
        await until(lambda: not m2.is_up)
        assert made.game.ensembles["v2"].panel.pools == (other, m1, m0)
        assert (m0.is_up, m1.is_up) == (True, True)
        assert (await made.scores("v2"))[1] == Source.ENSEMBLE
        assert [one.streams for one in made.replicas[:2]] == streams


async def test_models_of_one_schema_share_their_rows_whichever_catalog_they_came_with(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign({"v1": ("m0", "m1", "m2"), "v2": ("m0",)})
        made.write(made.with_v2(0))
        await until(lambda: "v2" in made.game.ensembles and not made.games.is_pending("g"))
        pools = [pool for one in made.game.ensembles.values() for pool in one.panel.pools]
        await until(lambda: all(pool.is_up for pool in pools))
        assert len({pool.plan for pool in pools}) == 1


async def test_shared_model_is_one_series_in_the_metrics_of_the_supervisor(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign({"shared": ("m0", "m1"), "v1": ("m2",), "v2": ("m2",)})
        made.write(_sharing(made, V2_SHARES))
        await until(lambda: "v2" in made.game.ensembles)
        state = StateOnDemand(made.games, made.cohorts, lambda: 0.0)
        (lanes,) = [metric for metric in state.collect() if metric.name == "mesh_lanes"]
        names = [(sample.labels["version"], sample.labels["model"]) for sample in lanes.samples if sample.value]
        assert names == [("shared", "m0"), ("shared", "m1"), ("v1", "m2"), ("v2", "m2")]
        assert made.games.models() == [("g", version, model) for version, model in names]
