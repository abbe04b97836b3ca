"""Late binding: decides which queued rows of a model are sent on which lane, and when."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from mesh.dealing import MAX_MESSAGE_ROWS, best_messages, grain_rows
from supervisor.hedging import WatchedLane
from supervisor.rotation import Rotation
from supervisor.row_queue import RowQueue
from supervisor.shipment import Shipment

# A lane is free while its outstanding work is below this: enough to keep a replica busy while the next message
# travels, too little to queue behind a slow row while another replica is free.
DEPTH_S = 0.004
MAX_MESSAGE_PAIRS = 65_536
# Idle lanes change turns this often. A replica that has just scored has its model in the CPU's caches: with a turn for
# each message, six replicas of 15 models answered a quarter fewer requests than one.
TURN_S = 0.25
FIRST_GUESS_ROW_S = 0.0005
MIN_ROW_S = 1e-6
LEARNING_WEIGHT = 0.2


class DealtLane(WatchedLane, Protocol):
    """The part of a lane that the dealer uses. `Lane` implements it."""

    @property
    def max_pairs(self) -> int | None:
        """Maximum pairs in a message of factored rows; None if the replica does not accept factored rows."""
        ...

    def send(self, request: Shipment) -> None:
        """Sends one message."""
        ...


class Dealer:
    """Deals the queued rows of one model to its free lanes. `row_s` is the learned time of a row, in seconds.

    Rows stay in the queue, in order, until a lane is free. A round divides them evenly over some of the free lanes, the
    least busy first and of these the one whose turn it is: at most a grain of work in a message, and at most the rows
    that one message can carry. `models` is the number of models of the panel, which are dealt at the same time.
    Only lanes in `rotation` are free. `on_send` receives each shipment before it is sent, and the time of a row, if the
    model has several lanes. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        queue: RowQueue,
        models: int,
        rotation: Rotation,
        on_send: Callable[[WatchedLane, Shipment, float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.row_s = FIRST_GUESS_ROW_S
        self.messages = 1  # of the latest round
        self._queue = queue
        self.models = models
        self._rotation = rotation
        self._on_send = on_send
        self._clock = clock
        self._last_turn: dict[DealtLane, int] = {}

    def deal(self, lanes: Collection[DealtLane]) -> None:
        """Sends queued rows on `lanes`, all lanes of the model, until the queue is empty or no lane is free."""
        while self._queue.drop_settled_head():
            usable = self._rotation.usable(lanes)
            free = [lane for lane in usable if lane.outstanding_rows * self.row_s < DEPTH_S]
            if not free:
                return
            self._deal_round(self._chosen(free) if len(free) > 1 else free, is_alone=len(lanes) == 1)

    def learn(self, rows: int, predict_s: float) -> None:
        """Learns the time of a row from a reply that took `predict_s` for `rows`."""
        self.row_s += LEARNING_WEIGHT * (max(predict_s / rows, MIN_ROW_S) - self.row_s)

    def forget(self, lane: DealtLane) -> None:
        """Drops the state of a lane that receives no more rows."""
        self._last_turn.pop(lane, None)

    def _chosen(self, free: list[DealtLane]) -> list[DealtLane]:
        """Returns the lanes of `free` that share the queue, in order."""
        turn = int(self._clock() / TURN_S)
        last = self._last_turn

        def preference(lane: DealtLane) -> tuple[int, bool, int]:
            return lane.outstanding_rows, last.get(lane) != turn, last.get(lane, -1)

        free.sort(key=preference)
        chosen = free[: best_messages(self._queue.rows * self.row_s, self.models)]
        for lane in chosen:
            last[lane] = turn
        return chosen

    def _deal_round(self, free: Sequence[DealtLane], is_alone: bool) -> None:
        self.messages = len(free)
        grain = grain_rows(self.row_s, is_alone)
        for position, lane in enumerate(free):
            if self._queue.drop_settled_head():
                share = math.ceil(self._queue.rows / (len(free) - position))
                shipment = self._queue.take(min(share, grain, self._max_rows(lane)))
                if not is_alone and not shipment.vote.is_shadow:
                    self._on_send(lane, shipment, self.row_s)
                lane.send(shipment)

    def _max_rows(self, lane: DealtLane) -> int:
        """Maximum rows of the next shipment in one message on `lane`."""
        if lane.max_pairs is None or not self._queue.first.vote.matrix.is_factored:
            return MAX_MESSAGE_ROWS
        return min(MAX_MESSAGE_PAIRS, lane.max_pairs)
