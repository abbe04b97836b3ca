"""Hedging: rows whose reply is overdue are sent to another replica as well (docs/decisions/0014-second-tries.md)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from supervisor.reply_delay import ReplyDelay
from supervisor.rotation import RotatedLane, Rotation
from supervisor.second_tries import SecondTryBudget
from supervisor.shipment import Shipment

# A check that runs later than this shows that the event loop was blocked: replies may have arrived and not been read.
LOOP_LAG_S = 0.01
RECHECK_S = 0.005  # after this long, a shipment that could not be sent again is checked again


class WatchedLane(RotatedLane, Protocol):
    """The part of a lane that hedging uses. `Lane` implements it."""

    @property
    def outstanding_rows(self) -> int:
        """Rows sent and not answered."""
        ...

    def outstanding(self) -> Sequence[Shipment]:
        """The shipments sent and not answered, in the order of sending."""
        ...


class Hedging:
    """Watches the shipments of one model.

    A lane with an overdue reply goes out of `rotation`, and `send_again` gets second tries for all its shipments that
    `budget` covers: those behind an overdue one will be late, too. There are none if no other lane is in rotation, or
    if the machine is starved and no replica is idle: then they only take CPU from the first tries. `lanes` are all
    lanes of the model, and `draining` those of removed replicas; `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        rotation: Rotation,
        budget: SecondTryBudget,
        lanes: Callable[[], Collection[WatchedLane]],
        is_starved: Callable[[], bool],
        send_again: Callable[[list[Shipment]], None],
        draining: Callable[[], Collection[WatchedLane]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delay = ReplyDelay()
        self._rotation = rotation
        self._budget = budget
        self._lanes = lanes
        self._is_starved = is_starved
        self._send_again = send_again
        self._draining = draining
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._check_due_s = 0.0

    def watch(self, lane: WatchedLane, shipment: Shipment, row_s: float) -> None:
        """Watches `shipment`, which is about to be sent on `lane`. A row takes `row_s`, in seconds."""
        if shipment.tries == 1:
            self._budget.earn(shipment.rows, row_s)
        shipment.sent_s = self._clock()
        shipment.work_s = (lane.outstanding_rows + shipment.rows) * row_s
        shipment.due_s = shipment.sent_s + self._delay.limit_s(shipment.work_s)
        self._check_at(shipment.due_s)

    def learn(self, shipment: Shipment) -> None:
        """Learns from the reply to `shipment`, which was watched."""
        self._delay.learn(self._clock() - shipment.sent_s, shipment.work_s)

    def close(self) -> None:
        """Ends the watch."""
        if self._timer is not None:
            self._timer.cancel()

    def _check_at(self, due_s: float) -> None:
        if self._timer is not None and due_s < self._check_due_s:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._check_due_s = due_s
            self._timer = asyncio.get_running_loop().call_later(max(0.0, due_s - self._clock()), self._check)

    def _check(self) -> None:
        self._timer = None
        now_s = self._clock()
        if now_s > self._check_due_s + LOOP_LAG_S:
            self._check_at(now_s + LOOP_LAG_S)
            return
        lanes, draining = self._lanes(), self._draining()
        overdue = [lane for lane in lanes if _due_s(lane) <= now_s]
        for lane in overdue:
            self._rotation.record_overdue(lane)
        overdue += [lane for lane in draining if _due_s(lane) <= now_s]
        if overdue:
            self._hedge([shipment for lane in overdue for shipment in lane.outstanding()], now_s)
        next_due_s = min(map(_due_s, (*lanes, *draining)), default=math.inf)
        if next_due_s < math.inf:
            self._check_at(next_due_s)

    def _hedge(self, shipments: Sequence[Shipment], now_s: float) -> None:
        """Sends `shipments` again, as far as this is possible now; the next check sees the others."""
        is_possible = self._has_room()
        again: list[Shipment] = []
        for shipment in shipments:
            shipment.due_s = math.inf
            if not shipment.is_wanted() or shipment.race is not None:
                continue
            if is_possible and self._budget.spend(shipment.rows):
                again.append(shipment.second_try())
            else:
                shipment.due_s = now_s + RECHECK_S
        if again:
            self._send_again(again)

    def _has_room(self) -> bool:
        """Whether a replica can take second tries. On a starved machine this must be an idle one."""
        others = self._rotation.in_rotation(self._lanes())
        return any(not lane.outstanding_rows for lane in others) or (bool(others) and not self._is_starved())


def _due_s(lane: WatchedLane) -> float:
    """The time of the next overdue reply of `lane`; infinite if there is none."""
    return min((shipment.due_s for shipment in lane.outstanding()), default=math.inf)
