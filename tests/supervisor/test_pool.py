"""A model's pool: how its rows are sent, retried and failed. The lanes are fakes; the test sends their replies."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources
from mesh.catalog.version import Model
from mesh.dealing import GRAIN_ALONE_S, GRAIN_S, MAX_MESSAGE_ROWS, MESSAGE_CPU_S
from mesh.errors import Expired, MeshError, Overloaded, Unavailable
from mesh.model_file import ModelHeader
from mesh.players.features import PlayerFeatures
from supervisor import dealer
from supervisor.ballot import Ballot, ModelVote, Place
from supervisor.lane import Lane
from supervisor.lane_reply import ScoreReply
from supervisor.pool import ModelPool
from supervisor.rotation import REST_S
from supervisor.row_queue import MAX_ROWS
from supervisor.rows import CohortRows, Passenger, RowPlanner
from supervisor.shipment import Shipment
from tests.supervisor.fake_lane import COLUMNS, HEADER, Ask, FakeLane, new_pool
from tests.supervisor.fake_starvation import NEVER_STARVED
from tests.supervisor.virtual_time import in_virtual_time, now_s, settle

GRAIN_ROWS = int(GRAIN_S / dealer.FIRST_GUESS_ROW_S)
DEPTH_ROWS = dealer.DEPTH_S / dealer.FIRST_GUESS_ROW_S


@in_virtual_time
async def test_single_lane_gets_few_rows_in_one_message() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    ask = Ask(pool, GRAIN_ROWS)
    await settle()
    assert lane.sizes == [GRAIN_ROWS]
    lane.answer()
    assert await ask.votes() == ask.expected


@pytest.mark.parametrize(("lanes", "grain_s"), [("a", GRAIN_ALONE_S), ("ab", GRAIN_S)])
@in_virtual_time
async def test_message_holds_at_most_a_grain_of_work(lanes: str, grain_s: float) -> None:
    pool = new_pool()
    lane, *others = [FakeLane(pool, name) for name in lanes]
    for other in others:
        other.state = "down"
    grain = int(grain_s / dealer.FIRST_GUESS_ROW_S)
    ask = Ask(pool, 3 * grain + 1)
    while not ask.task.done():
        await settle()
        if lane.sent:
            lane.answer()
    assert lane.sizes == [grain] * 3 + [1]
    assert await ask.votes() == ask.expected


@in_virtual_time
async def test_busy_lane_gets_no_rows_and_they_stay_queued() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    first, second = Ask(pool, GRAIN_ROWS), Ask(pool, 2)
    await settle()
    assert (lane.sizes, pool.waiting_rows) == ([GRAIN_ROWS], 2)
    lane.answer()
    assert (lane.sizes, pool.waiting_rows) == ([GRAIN_ROWS, 2], 0)
    lane.answer()
    assert (await first.votes(), await second.votes()) == (first.expected, second.expected)


@in_virtual_time
async def test_lane_with_little_outstanding_work_gets_more_rows() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    asks = [Ask(pool, 1) for _ in range(20)]
    await settle()
    assert lane.sizes == [1] * int(DEPTH_ROWS)
    while lane.sent:
        lane.answer()
    for ask in asks:
        await ask.votes()


@in_virtual_time
async def test_rows_leave_the_queue_in_order() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    asks = [Ask(pool, GRAIN_ROWS, first=100 * number) for number in range(4)]
    order = []
    for _ in asks:
        await settle()
        order.append(lane.sent[0].vote.matrix.rows[0, 0])
        lane.answer()
    assert order == [0.0, 100.0, 200.0, 300.0]
    for ask in asks:
        assert await ask.votes() == ask.expected


@in_virtual_time
async def test_free_lanes_share_the_queue_evenly() -> None:
    pool = new_pool()
    lanes = [FakeLane(pool, name) for name in "abc"]
    ask = Ask(pool, 3 * GRAIN_ROWS)
    await settle()
    assert [sum(lane.sizes) for lane in lanes] == [GRAIN_ROWS] * 3
    for lane in lanes:
        lane.answer()
    assert await ask.votes() == ask.expected


@in_virtual_time
async def test_even_share_of_a_lane_is_one_message() -> None:
    pool = new_pool()
    lanes = [FakeLane(pool, name) for name in "ab"]
    ask = Ask(pool, 12)
    await settle()
    assert [lane.sizes for lane in lanes] == [[6], [6]]
    for lane in lanes:
        while lane.sent:
            lane.answer()
    await ask.votes()


@in_virtual_time
async def test_lane_that_is_down_gets_no_rows() -> None:
    pool = new_pool()
    down, up = FakeLane(pool, "a"), FakeLane(pool, "b")
    down.state = "down"
    ask = Ask(pool, 8)
    await settle()
    assert (down.sizes, sum(up.sizes)) == ([], 8)
    while up.sent:
        up.answer()
    await ask.votes()


@in_virtual_time
async def test_vote_fails_at_once_when_every_lane_is_down() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    lane.break_down()
    assert "gone" in (await Ask(pool, 1).failure()).reason


@in_virtual_time
async def test_loss_of_the_last_lane_fails_every_open_vote() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    asks = [Ask(pool, GRAIN_ROWS) for _ in range(3)]  # one on the lane, two waiting
    await settle()
    lane.break_down()
    assert [type(await ask.failure()) for ask in asks] == [Unavailable] * 3
    assert pool.waiting_rows == 0


@in_virtual_time
async def test_shipments_lost_with_a_lane_go_to_another_lane_in_order() -> None:
    pool = new_pool()
    one, other = FakeLane(pool, "a"), FakeLane(pool, "b")
    asks = [Ask(pool, 1, first) for first in range(0, 800, 100)]
    await settle()
    lost = [shipment.vote for shipment in one.sent]
    before = len(other.sent)
    one.break_down()
    order = []
    while other.sent:
        order.append(other.sent[0].vote)
        other.answer()
        await settle()
    retried = [vote for vote in order[before:] if vote in lost]
    assert retried == sorted(retried, key=lost.index)
    for ask in asks:
        assert await ask.votes() == ask.expected


@in_virtual_time
async def test_shipment_lost_twice_fails() -> None:
    pool = new_pool()
    one, other = FakeLane(pool, "a"), FakeLane(pool, "b")
    ask = Ask(pool, 1)
    await settle()
    one.break_down()
    assert (one.sizes, other.sizes) == ([1], [1])
    one.state = "up"
    other.break_down()
    assert isinstance(await ask.failure(), Unavailable)
    assert one.sizes == [1]


@in_virtual_time
async def test_error_of_the_only_replica_is_final() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    ask = Ask(pool, 1)
    await settle()
    lane.answer(Overloaded("full"))
    assert (await ask.failure()).reason == "full"
    assert lane.sizes == [1]


@in_virtual_time
async def test_shipment_refused_by_one_replica_is_sent_to_another() -> None:
    pool = new_pool()
    refusing, willing = FakeLane(pool, "a"), FakeLane(pool, "b")
    ask = Ask(pool, 1)
    await settle()
    refusing.answer(Overloaded("full"))
    assert [refusing.sizes, willing.sizes] == [[1], [1]]
    for lane in (refusing, willing):
        if lane.sent:
            lane.answer()
    await ask.votes()


@in_virtual_time
async def test_replica_whose_rows_expired_gets_new_rows_at_once_and_no_second_try() -> None:
    pool = new_pool()
    late, other = FakeLane(pool, "a"), FakeLane(pool, "b")
    ask = Ask(pool, 1)
    await settle()
    late.answer(Expired("too late"))
    assert (await ask.failure()).reason == "too late"
    other.outstanding_rows = 1000
    Ask(pool, 1)
    await settle()
    assert (late.sizes, other.sizes) == ([1, 1], [])


@in_virtual_time
async def test_replica_that_fails_fast_attracts_no_traffic() -> None:
    pool = new_pool()
    failing, willing = FakeLane(pool, "a"), FakeLane(pool, "b")
    for _ in range(50):
        ask = Ask(pool, 1)
        await settle()
        while failing.sent:
            failing.answer(Unavailable("broken"))
        while willing.sent:
            willing.answer()
        await asyncio.wait([ask.task])
        ask.task.exception()
    assert len(failing.sizes) <= len(willing.sizes)


@in_virtual_time
async def test_rows_do_not_wait_if_every_replica_fails() -> None:
    pool = new_pool()
    lanes = [FakeLane(pool, name) for name in "ab"]
    refused = Ask(pool, 1)
    await settle()
    for _ in lanes:
        next(lane for lane in lanes if lane.sent).answer(Unavailable("these rows are wrong"))
    assert (await refused.failure()).reason == "these rows are wrong"
    began_s, good = now_s(), Ask(pool, 1)
    await settle()
    (sent,) = [lane for lane in lanes if lane.sent]
    sent.answer()
    assert await good.votes() == good.expected
    assert now_s() == began_s


@in_virtual_time
async def test_expired_rows_are_not_sent() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    first, expired, last = Ask(pool, GRAIN_ROWS), Ask(pool, 5, 100), Ask(pool, 1, 200)
    await settle()
    expired.ballot.close()
    assert isinstance(await expired.failure(), MeshError)
    lane.answer()
    lane.answer()
    assert (lane.sizes, pool.waiting_rows) == ([GRAIN_ROWS, 1], 0)
    assert (await first.votes(), await last.votes()) == (first.expected, last.expected)


@in_virtual_time
async def test_full_queue_refuses_at_once() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    lane.outstanding_rows = 10**6
    waiting = [Ask(pool, 4000) for _ in range(MAX_ROWS // 4000)]
    await settle()
    assert isinstance(await Ask(pool, 1).failure(), Overloaded)
    assert pool.waiting_rows == MAX_ROWS
    for ask in waiting:
        ask.ballot.close()
        await ask.failure()


@in_virtual_time
async def test_expired_rows_make_room_in_a_full_queue() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    lane.outstanding_rows = 10**6
    waiting = [Ask(pool, 4000) for _ in range(MAX_ROWS // 4000)]
    await settle()
    waiting[2].ballot.close()
    live = Ask(pool, 4000)
    await settle()
    assert not live.task.done()
    assert pool.waiting_rows == MAX_ROWS
    for ask in (*waiting, live):
        ask.ballot.close()
        await ask.failure()


@in_virtual_time
async def test_replica_with_slow_rows_gets_fewer_rows_in_a_message() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    for _ in range(40):
        ask = Ask(pool, 1)
        await settle()
        shipment = lane.sent.popleft()
        lane.outstanding_rows -= 1
        pool.on_reply(cast(Lane[Shipment], lane), shipment, ScoreReply(np.zeros(1), 0.033, 0.0))
        await ask.votes()
    lane.sizes.clear()
    ask = Ask(pool, 3)
    while not ask.task.done():
        await settle()
        if lane.sent:
            lane.answer()
    assert lane.sizes[0] == 1


@in_virtual_time
async def test_replica_that_reports_no_predict_time_still_gets_rows() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    for _ in range(4000):
        pool.on_reply(cast(Lane[Shipment], lane), _unwanted(), ScoreReply(np.zeros(1), 0.0, 0.0))
    assert pool._generations.in_use.dealer.row_s == pytest.approx(dealer.MIN_ROW_S)
    ask = Ask(pool, 2)
    await settle()
    assert lane.sizes == [2]
    lane.answer()
    assert await ask.votes() == ask.expected


def _unwanted() -> Shipment:
    ballot = Ballot(["m"], 1, 1, lambda: None)
    rows = CohortRows(COLUMNS, [None], [Passenger({}, ())])
    plan = RowPlanner(Sources(COLUMNS, {}, None)).plan(HEADER, COLUMNS)
    vote = ModelVote([Place(ballot, 0)], rows.matrix(plan), 1, 0, 0.0)
    vote.settle(None)
    return Shipment(vote, 0, 1)


@in_virtual_time
async def test_pool_works_after_a_caller_is_cancelled() -> None:
    pool = new_pool()
    lane = FakeLane(pool, "a")
    ask = Ask(pool, 1)
    await settle()
    ask.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ask.task
    lane.answer()
    again = Ask(pool, 1, 7)
    await settle()
    lane.answer()
    assert await again.votes() == [7.0]


async def test_ballot_calls_back_once_at_the_quorum() -> None:
    calls: list[int] = []
    ballot = Ballot(["a", "b", "c"], 1, 2, lambda: calls.append(1))
    for index in range(3):
        ballot.record(index, None)
    assert (calls, ballot.last_model) == ([1], "c")


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "answer", "fail", "break", "recover", "close"]), st.integers(0, 40)), max_size=40
)


@given(STEPS)
@in_virtual_time
async def test_every_vote_is_settled_and_correct_whatever_the_lanes_do(steps: list[tuple[str, int]]) -> None:
    pool = new_pool()
    lanes = [FakeLane(pool, name) for name in "ab"]
    asks: list[Any] = []
    for step, choice in steps:
        lane = lanes[choice % 2]
        if step == "ask":
            asks.append(Ask(pool, choice + 1, 1000 * len(asks)))
        elif step in ("answer", "fail") and lane.sent:
            lane.answer(Unavailable("broken") if step == "fail" else None)
        elif step == "break" and lane.state == "up":
            lane.break_down()
        elif step == "recover" and lane.state == "down":
            lane.state = "up"
            pool.on_up(lane.lane)
        elif step == "close" and asks:
            asks[choice % len(asks)].ballot.close()
        await settle()
        assert pool.waiting_rows == sum(one.rows for one in pool._generations.in_use.queue._shipments)
    for _ in range(2 * len(asks) + 1):  # each answer may free rows, and a lane that failed rests first
        for lane in lanes:
            while lane.sent:
                lane.answer()
        await asyncio.sleep(REST_S)
        await settle()
    assert all(ask.task.done() for ask in asks)
    for ask in asks:
        if ask.task.result() is None:
            assert ask.ballot.votes[0].tolist() == ask.expected
        else:
            assert isinstance(ask.task.result(), MeshError)


SELLING = ModelHeader(("level", "price"), {}, "binary", 1, 1)
OFFERS = OffersTable(tuple(map(str, range(10))), {}, None, {"price": tuple(number / 16 for number in range(10))}, {})


class AskAboutOffers(Ask):
    """Has a pool score `count` players (levels 0, 1, ...) with all ten offers."""

    def __init__(self, pool: ModelPool, count: int) -> None:
        players = [PlayerFeatures(struct.pack("<d", level), (), 0.0) for level in range(count)]
        rows = CohortRows(COLUMNS, players, [Passenger({}, range(10))] * count)
        self.expected = [level + price for level in range(count) for price in OFFERS.numbers["price"]]
        self.ballot = Ballot(["m"], 10 * count, 1, lambda: None)
        self.task = asyncio.ensure_future(
            pool.start_vote(rows, COLUMNS, [Place(self.ballot, 0)], time.monotonic() + 60)
        )


TWO_MESSAGES_S = 4 * MESSAGE_CPU_S  # work that one model sends best in two messages


def selling_pool() -> ModelPool:
    planner = RowPlanner(Sources(COLUMNS, {}, OFFERS))
    return ModelPool(Model(name="m", uri="m.txt"), planner, COLUMNS, NEVER_STARVED, 1, clock=now_s)


def selling_lane(pool: ModelPool, name: str, max_pairs: int | None = 4096) -> FakeLane:
    lane = FakeLane(pool, name, SELLING)
    lane.max_pairs = max_pairs
    return lane


@in_virtual_time
async def test_rows_are_split_over_two_lanes_between_requests() -> None:
    pool = selling_pool()
    pool._generations.in_use.dealer.row_s = TWO_MESSAGES_S / 30
    lanes = [selling_lane(pool, name) for name in "ab"]
    ask = AskAboutOffers(pool, 3)
    await settle()
    assert [lane.sizes for lane in lanes] == [[10], [20]]
    assert pool.messages == 2
    for lane in lanes:
        lane.answer()
    assert await ask.votes() == ask.expected


@in_virtual_time
async def test_single_request_is_split_over_two_lanes() -> None:
    pool = selling_pool()
    lanes = [selling_lane(pool, name) for name in "ab"]
    ask = AskAboutOffers(pool, 1)
    await settle()
    assert [lane.sizes for lane in lanes] == [[5], [5]]
    for lane in lanes:
        lane.answer()
    assert await ask.votes() == ask.expected


@pytest.mark.parametrize("broken", [True, False], ids=["lost", "refused"])
@in_virtual_time
async def test_pairs_refused_or_lost_by_a_lane_are_retried_on_another(broken: bool) -> None:
    pool = selling_pool()
    pool._generations.in_use.dealer.row_s = TWO_MESSAGES_S / 30
    one, other = [selling_lane(pool, name) for name in "ab"]
    ask = AskAboutOffers(pool, 3)
    await settle()
    if broken:
        one.break_down()
    else:
        one.answer(Overloaded("full"))
    while not ask.task.done():
        other.answer()
        await settle()
    assert other.sizes == [20, 10]
    assert await ask.votes() == ask.expected


@pytest.mark.parametrize(
    ("max_pairs", "sizes"), [(None, [1020, 980]), (4096, [2000]), (1500, [1500, 500]), (1495, [1490, 510])]
)
@in_virtual_time
async def test_message_of_factored_rows_holds_at_most_the_pairs_that_the_replica_accepts(
    max_pairs: int | None, sizes: list[int]
) -> None:
    pool = selling_pool()
    pool._generations.in_use.dealer.row_s = dealer.MIN_ROW_S
    lane = selling_lane(pool, "a", max_pairs)
    ask = AskAboutOffers(pool, 200)
    await settle()
    assert lane.sizes == sizes
    for _ in sizes:
        lane.answer()
    assert await ask.votes() == ask.expected


@in_virtual_time
async def test_limit_of_plain_rows_is_the_same_for_a_replica_that_accepts_factored_rows() -> None:
    pool = new_pool()
    pool._generations.in_use.dealer.row_s = dealer.MIN_ROW_S
    lane = FakeLane(pool, "a")
    lane.max_pairs = 4096
    Ask(pool, 2000)
    await settle()
    assert lane.sizes == [MAX_MESSAGE_ROWS, 2000 - MAX_MESSAGE_ROWS]


@in_virtual_time
async def test_load_counts_queued_rows_and_the_rows_of_replicas_that_are_up() -> None:
    pool = new_pool()
    up, other = FakeLane(pool, "a"), FakeLane(pool, "b")
    other.state = "down"
    ask = Ask(pool, 2 * GRAIN_ROWS)
    await settle()
    other.outstanding_rows = 7
    assert pool.load == (2 * GRAIN_ROWS, 1, dealer.FIRST_GUESS_ROW_S)
    while up.sent:
        up.answer()
        await settle()
    assert pool.load.rows == 0
    await ask.votes()


async def test_pool_counts_the_engines_of_the_replicas_that_are_up() -> None:
    pool = new_pool()
    lanes = [FakeLane(pool, name) for name in "abcd"]
    for lane in lanes:
        lane.state = "connecting"
    for lane, engine in zip(lanes, ("own", "own", "lightgbm", "own"), strict=True):
        pool.accept(cast(Lane[Shipment], lane), HEADER, {"sha256": "f00d", "engine": engine})
        lane.state = "up"
    lanes[3].state = "down"
    assert pool.served() == {("f00d", "own"): 2, ("f00d", "lightgbm"): 1}
    del pool.lanes["b"]
    assert pool.served() == {("f00d", "own"): 1, ("f00d", "lightgbm"): 1}


async def test_rows_that_two_replicas_score_count_once() -> None:
    ballot = Ballot(["m"], 2, 1, lambda: None)
    plan = RowPlanner(Sources(COLUMNS, {}, None)).plan(HEADER, COLUMNS)
    rows = CohortRows(COLUMNS, [None, None], [Passenger({}, ())] * 2)
    vote = ModelVote([Place(ballot, 0)], rows.matrix(plan), 1, 0, time.monotonic() + 60)
    Shipment(vote, 0, 1).second_try()
    for _ in range(2):
        vote.cast(0, 1, np.array([0.5]))
        assert not vote.done.done()
    vote.cast(1, 2, np.array([0.25]))
    assert vote.done.result() is None
    assert ballot.votes.tolist() == [[0.5, 0.25]]


async def test_nan_that_two_replicas_send_fails_the_vote_before_the_deadline() -> None:
    ballot = Ballot(["m"], 3, 1, lambda: None)
    plan = RowPlanner(Sources(COLUMNS, {}, None)).plan(HEADER, COLUMNS)
    rows = CohortRows(COLUMNS, [None] * 3, [Passenger({}, ())] * 3)
    vote = ModelVote([Place(ballot, 0)], rows.matrix(plan), 1, 0, time.monotonic() + 60)
    Shipment(vote, 0, 2).second_try()
    for _ in range(2):
        vote.cast(0, 2, np.array([np.nan, np.nan]))
    vote.cast(2, 3, np.array([0.25]))
    failure = vote.done.result()
    assert failure is not None
    assert failure.reason == "a score is NaN"
