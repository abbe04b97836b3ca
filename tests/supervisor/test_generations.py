"""Replicas with two files of one model: every vote is from one file, and no vote is lost by the change."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from mesh.errors import Overloaded, Unavailable
from mesh.model_file import ModelHeader
from supervisor import panel
from supervisor.pool import ModelPool
from tests.supervisor.fake_lane import HEADER, Ask, FakeLane, new_pool
from tests.supervisor.virtual_time import in_virtual_time, settle

OLD, NEW = "a" * 64, "b" * 64
BIAS = {OLD: 1_000_000.0, NEW: 2_000_000.0}
WIDE = ModelHeader(("level", "level_again"), {}, "binary", 1, 1)
ROWS = 4


def lane_of(pool: ModelPool, name: str, sha256: str) -> FakeLane:
    lane = FakeLane(pool, name, HEADER, sha256, BIAS[sha256])
    pool.on_up(lane.lane)
    return lane


def from_file(ask: Ask, sha256: str) -> list[float]:
    return [level + BIAS[sha256] for level in ask.expected]


async def answered(ask: Ask, *lanes: FakeLane) -> list[float]:
    """Has the lanes answer until the vote is settled; returns the votes."""
    for _ in range(100):
        await settle()
        for lane in lanes:
            if lane.sent:
                lane.answer()
        if ask.task.done():
            break
    return await ask.votes()


@in_virtual_time
async def test_old_file_scores_until_the_new_one_has_as_many_replicas() -> None:
    pool = new_pool()
    old = [lane_of(pool, name, OLD) for name in "ab"]
    new = [lane_of(pool, "c", NEW)]
    ask = Ask(pool, ROWS)
    assert await answered(ask, *old, *new) == from_file(ask, OLD)
    new.append(lane_of(pool, "d", NEW))
    ask = Ask(pool, ROWS)
    assert await answered(ask, *old, *new) == from_file(ask, NEW)


@in_virtual_time
async def test_new_file_scores_as_soon_as_the_old_replicas_leave() -> None:
    pool = new_pool()
    old, new = [lane_of(pool, name, OLD) for name in "ab"], lane_of(pool, "c", NEW)
    old[0].break_down()
    ask = Ask(pool, ROWS)
    assert await answered(ask, *old, new) == from_file(ask, NEW)


@in_virtual_time
async def test_rows_under_way_end_with_the_old_file() -> None:
    pool = new_pool()
    old = lane_of(pool, "a", OLD)
    asks = [Ask(pool, 40) for _ in range(3)]  # more than one lane takes at once
    await settle()
    new = lane_of(pool, "b", NEW)
    after = Ask(pool, ROWS)
    assert await answered(after, new) == from_file(after, NEW)
    for ask in asks:
        assert await answered(ask, old) == from_file(ask, OLD)


@in_virtual_time
async def test_vote_that_lost_its_last_replica_is_scored_again_by_the_other_file() -> None:
    pool = new_pool()
    old = [lane_of(pool, name, OLD) for name in "ab"]
    ask = Ask(pool, 12)
    await settle()
    old[0].answer()
    new = lane_of(pool, "c", NEW)
    assert not new.sent
    for lane in old:
        lane.break_down()
    assert sum(new.sizes) == 12
    assert await answered(ask, new) == from_file(ask, NEW)
    assert ask.ballot.files == [NEW]
    assert ask.ballot.plans == [pool.plan]


@in_virtual_time
async def test_queued_rows_of_a_file_without_replicas_are_not_second_tries() -> None:
    pool = new_pool()
    old, new = lane_of(pool, "a", OLD), lane_of(pool, "c", OLD)
    old.outstanding_rows = new.outstanding_rows = 10**6
    asks = [Ask(pool, 40) for _ in range(20)]  # ten times the budget of second tries
    await settle()
    other = lane_of(pool, "d", NEW)
    for lane in (old, new):
        lane.break_down()
    for ask in asks:
        assert await answered(ask, other) == from_file(ask, NEW)


@in_virtual_time
async def test_late_reply_to_a_restarted_vote_is_dropped() -> None:
    pool = new_pool()
    old = [lane_of(pool, name, OLD) for name in "ab"]
    ask = Ask(pool, 12)
    await settle()
    leaving = old[1]  # removed: its replica still answers
    del pool.lanes["b"]
    pool._generations.leave(leaving.lane)
    new = lane_of(pool, "c", NEW)
    old[0].break_down()
    leaving.answer()
    assert await answered(ask, new) == from_file(ask, NEW)


@in_virtual_time
async def test_shipment_that_the_only_replica_of_a_file_refuses_goes_to_the_file_in_use() -> None:
    pool = new_pool()
    old = lane_of(pool, "a", OLD)
    ask = Ask(pool, ROWS)
    await settle()
    new = lane_of(pool, "b", NEW)
    old.answer(Unavailable("draining"))
    assert await answered(ask, new) == from_file(ask, NEW)


@in_virtual_time
async def test_replica_that_comes_back_with_another_file_at_the_same_address_is_used() -> None:
    pool = new_pool()
    lane = lane_of(pool, "a", OLD)
    lane.break_down()
    lane.come_back(HEADER, NEW, BIAS[NEW])
    ask = Ask(pool, ROWS)
    assert await answered(ask, lane) == from_file(ask, NEW)
    assert pool.served() == {(NEW, ""): 1}


@in_virtual_time
async def test_file_that_comes_back_after_it_was_gone_is_the_newest() -> None:
    pool = new_pool()
    lane = lane_of(pool, "a", OLD)
    other = lane_of(pool, "b", NEW)
    lane.break_down()
    lane.come_back(HEADER, NEW, BIAS[NEW])
    other.break_down()
    other.come_back(HEADER, OLD, BIAS[OLD])
    ask = Ask(pool, ROWS)
    assert await answered(ask, lane, other) == from_file(ask, OLD)


@in_virtual_time
async def test_file_that_the_catalog_wants_gets_the_rows_though_it_came_first() -> None:
    pool = new_pool(sha256=OLD)
    lanes = [lane_of(pool, "a", OLD), lane_of(pool, "b", NEW)]
    ask = Ask(pool, ROWS)
    assert await answered(ask, *lanes) == from_file(ask, OLD)


@in_virtual_time
async def test_another_file_than_the_catalog_wants_serves_until_the_wanted_one_is_up() -> None:
    pool = new_pool(sha256=NEW)
    lanes = [lane_of(pool, "a", OLD)]
    ask = Ask(pool, ROWS)
    assert await answered(ask, *lanes) == from_file(ask, OLD)
    lanes.append(lane_of(pool, "b", NEW))
    ask = Ask(pool, ROWS)
    assert await answered(ask, *lanes) == from_file(ask, NEW)


@in_virtual_time
async def test_file_with_a_feature_without_source_is_refused_and_the_old_one_goes_on() -> None:
    pool = new_pool()
    old = lane_of(pool, "a", OLD)
    new = FakeLane(pool, "b", HEADER, OLD)
    new.break_down()
    with pytest.raises(Unavailable, match="'level_again' has no source"):
        pool.accept(new.lane, WIDE, {"sha256": NEW})
    ask = Ask(pool, ROWS)
    assert await answered(ask, old) == from_file(ask, OLD)


@in_virtual_time
async def test_files_without_replicas_are_forgotten() -> None:
    pool = new_pool()
    lane = lane_of(pool, "a", OLD)
    for number in range(50):
        lane.break_down()
        lane.come_back(HEADER, f"{number:064}")
    assert len(list(pool._generations)) <= 2


class Roll:
    """Replicas that come, go, fail, and come back with either file, while a pool is asked."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.pool = new_pool()
        self.lanes = [lane_of(self.pool, f"lane {number}", OLD) for number in range(3)]
        self.leaving: list[FakeLane] = []
        self.asks: list[Ask] = []

    async def step(self) -> None:
        lane = self.random.choice([*self.lanes, *self.leaving])
        match self.random.choice(["ask", "ask", "answer", "answer", "answer", "refuse", "break", "return", "leave"]):
            case "ask":
                self.asks.append(Ask(self.pool, self.random.randint(1, 40), 1000 * len(self.asks)))
            case "answer" if lane.sent:
                lane.answer()
            case "refuse" if lane.sent:
                lane.answer(Overloaded("full"))
            case "break" if lane.state == "up" and self.random.random() < 0.3:
                lane.break_down()
            case "return" if lane.state == "down" and lane in self.lanes:
                sha256 = self.random.choice([OLD, NEW])
                lane.come_back(HEADER, sha256, BIAS[sha256])
            case "leave" if lane in self.lanes and self.random.random() < 0.3:
                self.replace(lane)
        await settle()

    def replace(self, lane: FakeLane) -> None:
        """Removes a lane, which still answers, and adds one with either file."""
        self.lanes.remove(lane)
        del self.pool.lanes[lane.address]
        self.pool._generations.leave(lane.lane)
        self.leaving.append(lane)
        self.lanes.append(lane_of(self.pool, f"lane {len(self.leaving) + 3}", self.random.choice([OLD, NEW])))

    async def finish(self) -> None:
        for _ in range(len(self.asks) + 1):
            for lane in (*self.lanes, *self.leaving):
                while lane.sent:
                    lane.answer()
            await settle()


async def test_digest_is_computed_only_when_a_file_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[Mapping[str, str]] = []

    def digest(files: Mapping[str, str]) -> str:
        computed.append(files)
        return str(len(computed))

    monkeypatch.setattr(panel, "version_digest", digest)
    digests = panel.FileDigests()
    assert [digests.of(["m"], [sha256]) for sha256 in (OLD, OLD, NEW, NEW)] == ["1", "1", "2", "2"]
    assert computed == [{"m": OLD}, {"m": NEW}]


@pytest.mark.parametrize("seed", range(60))
@in_virtual_time
async def test_scores_of_two_files_are_never_in_one_vote(seed: int) -> None:
    roll = Roll(seed)
    for _ in range(150):
        await roll.step()
    await roll.finish()
    votes = 0
    for ask in roll.asks:
        ask.ballot.close()
        if await ask.task is None:
            assert ask.ballot.votes[0].tolist() == from_file(ask, ask.ballot.files[0])
            votes += 1
    assert votes > 5
