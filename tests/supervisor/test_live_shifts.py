"""Rollouts and guards in a supervisor whose catalog changes: real lanes, fake replicas, a fault in one version."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from supervisor.answers import Source
from supervisor.state_metrics import StateOnDemand
from tests.supervisor.replica import error_reply, until
from tests.supervisor.test_live_games import World, world

GUARD = "guard: {to: v1, whole: 99, window_s: 60, min_requests: 20}"
REPLICAS = {"v1": ("m0", "m1", "m2"), "v2": ("m0",)}


def with_rollout(made: World, start_s: float) -> str:
    """The first catalog with a version that gets all players at `start_s`."""
    start = datetime.fromtimestamp(start_s, UTC).isoformat()
    plan = f"rollout: {{start: {start}, steps: [100], hold_s: 1}}"
    return made.with_v2(0).replace("    traffic: 0\n    models: [{name: m0", f"    {plan}\n    models: [{{name: m0")


def gauges(made: World, name: str) -> dict[str, float]:
    """The values of a gauge by version."""
    state = StateOnDemand(made.games, made.cohorts, lambda: 0.0)
    (family,) = (one for one in state.collect() if one.name == name)
    return {sample.labels["version"]: sample.value for sample in family.samples}


async def trip(made: World) -> None:
    """Gives v2 all players, and lets its model fail until its guard trips."""
    made.assign(REPLICAS)
    made.write(made.with_v2(100, **{"traffic: 100\n    models": f"traffic: 100\n    {GUARD}\n    models"}))
    await until(lambda: made.game.traffic.shares == {"v1": 0, "v2": 100})
    assert (await made.scores())[:2] == ("v2", Source.ENSEMBLE)
    assert gauges(made, "mesh_guard_tripped") == {"v2": 0}
    made.replicas[0].respond = lambda request: [error_reply(request, "out of order")]
    for _ in range(30):
        await made.scores()


async def test_version_whose_answers_break_its_guard_gives_its_players_away(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await trip(made)
        assert (await made.scores())[:2] == ("v1", Source.PARTIAL)
        assert (await made.scores("v2"))[:2] == ("v2", Source.FALLBACK)  # pinned
        assert gauges(made, "mesh_guard_tripped") == {"v2": 1}
        assert gauges(made, "mesh_traffic_share") == {"v1": 1, "v2": 0}


async def test_trip_lasts_until_the_catalog_changes(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await trip(made)
        before = made.game
        made.write(made.catalog.read_text() + "# a comment\n")
        await until(lambda: made.game is not before)
        assert (await made.scores())[0] == "v1"
        made.write(made.catalog.read_text().replace("min_requests: 20", "min_requests: 30"))
        await until(lambda: made.game.traffic.shares == {"v1": 0, "v2": 100})
        assert (await made.scores())[0] == "v2"
        assert gauges(made, "mesh_guard_tripped") == {"v2": 0}


async def test_rollout_begins_at_its_time(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign(REPLICAS)
        start_s = time.time() + 1
        made.write(with_rollout(made, start_s))
        await until(lambda: "v2" in made.game.ensembles)
        versions: list[tuple[float, str]] = []
        while not versions or versions[-1][1] == "v1":
            asked_s = time.time()
            versions.append((asked_s, (await made.scores())[0]))
        assert all(version == "v1" for asked_s, version in versions if asked_s < start_s - 0.1)
        assert versions[-1][0] >= start_s - 0.1


async def test_catalog_with_a_rollout_waits_for_the_models_of_its_version(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.write(with_rollout(made, time.time() + 3600))
        await until(lambda: made.games.is_pending("g"))
        made.assign(REPLICAS)
        await until(lambda: not made.games.is_pending("g"))
        assert made.game.traffic.shares == {"v1": 100, "v2": 0}


async def test_guard_that_trips_while_new_offers_wait_for_replicas_stays_tripped(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.assign(REPLICAS)
        made.write(
            made.with_v2(
                50, **{"traffic: 50\n    models: [{name: m0": f"traffic: 50\n    {GUARD}\n    models: [{{name: m0"}
            )
        )
        await until(lambda: "v2" in made.game.ensembles and not made.games.is_pending("g"))
        before = made.game
        made.assign({**REPLICAS, "v1": ("m0", "m1")})  # so that the pools of the new offers are not ready
        (tmp_path / "offers.csv").write_text("offer_id,price\nstarter,10\ncopper,30\n")
        await until(lambda: made.games.is_pending("g"))
        made.replicas[0].respond = lambda request: [error_reply(request, "out of order")]
        for _ in range(30):
            await made.scores("v2")
        assert made.game is before
        assert before.guards.tripped == {"v2": "v1"}
        made.assign(REPLICAS)
        await until(lambda: made.game is not before)
        assert gauges(made, "mesh_guard_tripped") == {"v2": 1}
        assert made.game.traffic.shares == {"v1": 100, "v2": 0}
