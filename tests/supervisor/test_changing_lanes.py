"""Lanes and columns that change while rows are under way: the generations of a model stay correct."""

from __future__ import annotations

import asyncio
import struct
import time

from mesh.players.features import Columns, PlayerFeatures
from supervisor.ballot import Ballot, Place
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows, Passenger
from tests.supervisor.fake_lane import HEADER, Ask, FakeLane, new_pool
from tests.supervisor.test_generations import BIAS, NEW, OLD, answered, from_file, lane_of
from tests.supervisor.virtual_time import in_virtual_time, settle

WITH_GOLD = Columns(("gold", "level"), ())


def ask_with_gold(pool: ModelPool) -> asyncio.Future[object]:
    """Has the pool score a player of a store that now has the column `gold`, too."""
    rows = CohortRows(WITH_GOLD, [PlayerFeatures(struct.pack("<dd", 500.0, 7.0), (), 0.0)], [Passenger({}, ())])
    ballot = Ballot(["m"], 1, 1, lambda: None)
    return asyncio.ensure_future(pool.start_vote(rows, WITH_GOLD, [Place(ballot, 0)], time.monotonic() + 60))


@in_virtual_time
async def test_old_replica_that_reconnects_does_not_make_its_file_the_newest() -> None:
    pool = new_pool()
    old, new = lane_of(pool, "a", OLD), lane_of(pool, "b", NEW)
    old.break_down()
    old.come_back(HEADER, OLD, BIAS[OLD])
    ask = Ask(pool, 4)
    assert await answered(ask, old, new) == from_file(ask, NEW)
    assert pool.switches == 1


@in_virtual_time
async def test_vote_is_scored_again_with_the_columns_with_which_its_cohort_was_read() -> None:
    pool = new_pool(sha256=OLD)
    old, new = lane_of(pool, "a", OLD), lane_of(pool, "b", NEW)
    ask = Ask(pool, 4)
    await settle()
    later = ask_with_gold(pool)
    old.break_down()
    assert await answered(ask, new) == from_file(ask, NEW)
    while new.sent:
        new.answer()
    assert later.done()
    assert later.result() is None


@in_virtual_time
async def test_removed_lane_that_joined_while_it_closed_leaves_nothing_behind() -> None:
    pool = new_pool()
    lane_of(pool, "a", OLD)
    removed = FakeLane(pool, "b", HEADER, OLD)
    del pool.lanes["b"]
    pool._generations.leave(removed.lane)
    pool.accept(removed.lane, HEADER, {"sha256": OLD})  # its attempt to connect was under way
    pool._generations.forget(removed.lane)
    (generation,) = pool._generations
    assert [lane.address for lane in generation.lanes] == ["a"]
