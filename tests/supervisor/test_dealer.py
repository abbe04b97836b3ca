"""The dealer: which lane gets how many of the queued rows, and when. No pool, no replies."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from mesh.dealing import GRAIN_ALONE_S, GRAIN_S, MAX_MESSAGE_ROWS, MESSAGE_CPU_S
from supervisor.ballot import Ballot, ModelVote, Place
from supervisor.dealer import DEPTH_S, FIRST_GUESS_ROW_S, LEARNING_WEIGHT, MAX_MESSAGE_PAIRS, MIN_ROW_S, TURN_S, Dealer
from supervisor.encoding import FactoredMatrix, PlainMatrix, RowMatrix, encode_candidates
from supervisor.hedging import WatchedLane
from supervisor.lane import LaneState
from supervisor.rotation import Rotation
from supervisor.row_queue import RowQueue
from supervisor.shipment import Shipment

GRAIN_ROWS = int(GRAIN_S / FIRST_GUESS_ROW_S)
DEPTH_ROWS = int(DEPTH_S / FIRST_GUESS_ROW_S)
TWO_MESSAGES_S = 4 * MESSAGE_CPU_S  # work that one model sends best in two messages


class FakeLane:
    """Keeps every shipment as outstanding."""

    def __init__(self, outstanding_rows: int = 0, max_pairs: int | None = None) -> None:
        self.state: LaneState = "up"
        self.outstanding_rows = outstanding_rows
        self.max_pairs = max_pairs
        self.sent: list[Shipment] = []

    @property
    def sizes(self) -> list[int]:
        return [shipment.rows for shipment in self.sent]

    def outstanding(self) -> list[Shipment]:
        return self.sent

    def send(self, request: Shipment) -> None:
        self.sent.append(request)
        self.outstanding_rows += request.rows


def shipment(matrix: RowMatrix) -> Shipment:
    ballot = Ballot(["m"], matrix.count, 1, lambda: None)
    vote = ModelVote([Place(ballot, 0)], matrix, 1, 0, time.monotonic() + 60)
    return Shipment(vote, 0, matrix.count)


def dealer_of(*counts: int, row_s: float = FIRST_GUESS_ROW_S, models: int = 1) -> tuple[Dealer, RowQueue]:
    """A dealer whose queue has a shipment of plain rows for each of `counts`."""
    queue = RowQueue()
    for count in counts:
        queue.add(shipment(PlainMatrix(np.zeros((count, 1)))))
    dealer = new_dealer(queue, models)
    dealer.row_s = row_s
    return dealer, queue


def new_dealer(
    queue: RowQueue,
    models: int = 1,
    on_send: Callable[[WatchedLane, Shipment, float], None] = lambda *_: None,
    clock: Callable[[], float] = time.monotonic,
) -> Dealer:
    return Dealer(queue, models, Rotation(lambda: None), on_send, clock)


def pairs(requests: int, candidates: int) -> FactoredMatrix:
    """Factored rows: `requests` ask for all `candidates`."""
    bounds = np.arange(requests + 1, dtype=np.intp) * candidates
    listed = encode_candidates(np.zeros(1, np.uint32), np.zeros((candidates, 1)))
    return FactoredMatrix(np.zeros((requests, 1)), bounds, listed, None, lambda: np.zeros((requests * candidates, 2)))


def deal(dealer: Dealer, *lanes: FakeLane) -> list[list[int]]:
    """The sizes of the messages on each lane after one `deal`."""
    dealer.deal(lanes)
    return [lane.sizes for lane in lanes]


async def test_empty_queue_sends_nothing() -> None:
    dealer, _ = dealer_of()
    assert deal(dealer, FakeLane()) == [[]]


async def test_rows_stay_queued_without_a_lane() -> None:
    dealer, queue = dealer_of(3)
    assert deal(dealer) == []
    assert queue.rows == 3


@pytest.mark.parametrize("state", ["connecting", "down"])
async def test_lane_that_is_not_up_gets_no_rows(state: LaneState) -> None:
    dealer, _ = dealer_of(8)
    lane = FakeLane()
    lane.state = state
    assert deal(dealer, lane, FakeLane()) == [[], [8]]


async def test_lane_is_free_below_the_depth() -> None:
    dealer, queue = dealer_of(1)
    assert deal(dealer, FakeLane(DEPTH_ROWS)) == [[]]
    assert deal(dealer, FakeLane(DEPTH_ROWS - 1)) == [[1]]
    assert queue.rows == 0


async def test_shares_of_free_lanes_are_even() -> None:
    dealer, _ = dealer_of(3 * GRAIN_ROWS)
    assert deal(dealer, FakeLane(), FakeLane(), FakeLane()) == [[GRAIN_ROWS]] * 3


async def test_cheap_rows_are_one_message_however_many_lanes_are_free() -> None:
    dealer, _ = dealer_of(30, row_s=0.000015, models=15)
    assert deal(dealer, *(FakeLane() for _ in range(6))) == [[30], [], [], [], [], []]
    assert dealer.messages == 1


async def test_slow_rows_use_every_free_lane() -> None:
    dealer, _ = dealer_of(1, 1, 1, 1, row_s=0.033, models=15)
    assert deal(dealer, *(FakeLane() for _ in range(4))) == [[1]] * 4


async def test_idle_lanes_take_turns() -> None:
    now_s, queue, lanes = 0.0, RowQueue(), [FakeLane(), FakeLane(), FakeLane()]
    dealer = new_dealer(queue, models=15, clock=lambda: now_s)
    scored_by = []
    for message in range(12):
        now_s = message * TURN_S / 2
        queue.add(shipment(PlainMatrix(np.zeros((1, 1)))))
        dealer.deal(lanes)
        (busy,) = (number for number, lane in enumerate(lanes) if lane.outstanding_rows)
        scored_by.append(busy)
        lanes[busy].outstanding_rows = 0

    assert scored_by == [0, 0, 1, 1, 2, 2] * 2


async def test_busy_lane_leaves_the_rest_of_its_turn_to_an_idle_one() -> None:
    queue = RowQueue()
    dealer = new_dealer(queue, models=15, clock=lambda: 0.0)
    first, second = FakeLane(), FakeLane()
    for _ in range(2):
        queue.add(shipment(PlainMatrix(np.zeros((1, 1)))))
        dealer.deal([first, second])

    assert first.sizes == second.sizes == [1]


async def test_number_of_messages_of_the_latest_round_is_known() -> None:
    dealer, queue = dealer_of(3 * GRAIN_ROWS)
    deal(dealer, FakeLane(), FakeLane(), FakeLane())
    assert dealer.messages == 3
    queue.add(shipment(PlainMatrix(np.zeros((1, 1)))))
    deal(dealer, FakeLane(), FakeLane(), FakeLane())
    assert dealer.messages == 2


async def test_least_busy_lane_is_first() -> None:
    dealer, _ = dealer_of(1)
    assert deal(dealer, FakeLane(2), FakeLane(1), FakeLane(3)) == [[], [1], []]


async def test_shares_of_an_odd_queue_differ_by_one() -> None:
    dealer, _ = dealer_of(11)
    assert deal(dealer, FakeLane(), FakeLane(1)) == [[6], [5]]


async def test_message_to_one_of_several_replicas_is_at_most_a_grain() -> None:
    dealer, queue = dealer_of(3 * GRAIN_ROWS)
    down = FakeLane()
    down.state = "down"
    assert deal(dealer, FakeLane(), down) == [[GRAIN_ROWS], []]
    assert queue.rows == 2 * GRAIN_ROWS


async def test_message_to_a_single_replica_may_be_larger() -> None:
    grain = int(GRAIN_ALONE_S / FIRST_GUESS_ROW_S)
    dealer, queue = dealer_of(2 * grain)
    assert deal(dealer, FakeLane()) == [[grain]]
    assert queue.rows == grain


async def test_grain_of_a_slow_model_is_one_row() -> None:
    dealer, _ = dealer_of(5, row_s=10 * GRAIN_ALONE_S)
    assert deal(dealer, FakeLane()) == [[1]]


async def test_message_holds_the_rows_of_one_shipment() -> None:
    dealer, _ = dealer_of(2, 3)
    assert deal(dealer, FakeLane()) == [[2, 3]]


async def test_message_of_plain_rows_has_a_limit() -> None:
    dealer, _ = dealer_of(MAX_MESSAGE_ROWS + 5, row_s=MIN_ROW_S)
    assert deal(dealer, FakeLane(max_pairs=4096)) == [[MAX_MESSAGE_ROWS, 5]]


@pytest.mark.parametrize(
    ("max_pairs", "sizes"),
    [(None, [MAX_MESSAGE_ROWS, 976]), (1500, [1500, 500]), (MAX_MESSAGE_PAIRS + 1, [2000])],
)
async def test_message_of_pairs_has_the_limit_of_the_replica(max_pairs: int | None, sizes: list[int]) -> None:
    dealer, queue = dealer_of(row_s=MIN_ROW_S)
    queue.add(shipment(pairs(2000, 1)))
    assert deal(dealer, FakeLane(max_pairs=max_pairs)) == [sizes]


async def test_cut_of_pairs_is_between_two_requests() -> None:
    dealer, queue = dealer_of(row_s=TWO_MESSAGES_S / 30)
    queue.add(shipment(pairs(3, 10)))
    assert deal(dealer, FakeLane(max_pairs=4096), FakeLane(max_pairs=4096)) == [[10], [20]]


async def test_lane_out_of_rotation_gets_no_rows_while_another_is_in() -> None:
    dealer, _ = dealer_of(4)
    late, other = FakeLane(), FakeLane(1)
    dealer._rotation.record_overdue(late)
    assert deal(dealer, late, other) == [[], [4]]


@pytest.mark.parametrize("lanes", [1, 2])
async def test_shipments_are_watched_if_the_model_has_several_lanes(lanes: int) -> None:
    watched: list[tuple[int, float]] = []
    queue = RowQueue()
    queue.add(shipment(PlainMatrix(np.zeros((1, 1)))))
    dealer = new_dealer(queue, on_send=lambda _, sent, row_s: watched.append((sent.rows, row_s)))
    deal(dealer, *(FakeLane() for _ in range(lanes)))
    assert watched == ([(1, FIRST_GUESS_ROW_S)] if lanes > 1 else [])


async def test_settled_shipment_is_not_sent() -> None:
    dealer, queue = dealer_of(4, 2)
    queue.first.vote.settle(None)
    assert deal(dealer, FakeLane()) == [[2]]


def test_time_of_a_row_follows_the_replies() -> None:
    dealer = new_dealer(RowQueue())
    dealer.learn(10, 10 * 0.033)
    assert dealer.row_s == FIRST_GUESS_ROW_S + LEARNING_WEIGHT * (0.033 - FIRST_GUESS_ROW_S)
    for _ in range(200):
        dealer.learn(1, 0.0)
    assert dealer.row_s == pytest.approx(MIN_ROW_S)
