"""Rotation: which lanes of a model receive rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, TypeVar

from supervisor.lane import LaneState

# A replica that answers with an error gets no rows for this long if another replica can take them: errors return
# fast and would attract the traffic.
REST_S = 0.1
# A late replica gets no rows until it replies, and then for a pause that doubles each time it is late again. Its next
# message is a test of it, which costs a second try if it fails.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 0.8
RELAPSE_S = 2.0  # a lane that is late again within this time after its return gets a longer pause


class RotatedLane(Protocol):
    """The part of a lane that the rotation uses. `Lane` implements it."""

    @property
    def state(self) -> LaneState:
        """Only a lane that is up receives rows."""
        ...


LaneT = TypeVar("LaneT", bound=RotatedLane)


@dataclass(slots=True)
class _Lateness:
    """The record of a lane that was late at least once. Times are those of the event loop."""

    is_out: bool = False
    is_returning: bool = False  # its replica has replied, and its pause is not over
    pause_s: float = FIRST_PAUSE_S
    returned_s: float = float("-inf")


class Rotation:
    """Takes late and failing lanes out of rotation; calls `on_return` whenever one has returned.

    If every lane that is up is late, all of them receive rows: then the model is slow, and not one of its replicas. If
    every lane is failing, too: some rows may fail on every replica, and the other rows must not wait.
    """

    def __init__(self, on_return: Callable[[], None]) -> None:
        self._on_return = on_return
        self._late: dict[RotatedLane, _Lateness] = {}
        self._failing: set[RotatedLane] = set()

    @property
    def out(self) -> int:
        """The number of lanes that are out of rotation. Any thread may read it."""
        late = [lane for lane, lateness in list(self._late.items()) if lateness.is_out]
        return len(self._failing.union(late))

    def usable(self, lanes: Collection[LaneT]) -> list[LaneT]:
        """Returns the lanes of `lanes` that may receive rows."""
        up = [lane for lane in lanes if lane.state == "up"]
        return self.in_rotation(up) or [lane for lane in up if lane not in self._failing] or up

    def in_rotation(self, lanes: Collection[LaneT]) -> list[LaneT]:
        """Returns the lanes of `lanes` that are up and neither late nor failing."""
        return [lane for lane in lanes if lane.state == "up" and lane not in self._failing and not self.is_late(lane)]

    def is_late(self, lane: RotatedLane) -> bool:
        """Returns whether `lane` is out because a reply was overdue."""
        return lane in self._late and self._late[lane].is_out

    def record_overdue(self, lane: RotatedLane) -> None:
        """Takes out `lane`, which has not replied in time."""
        lateness = self._late.setdefault(lane, _Lateness())
        if not lateness.is_out:
            is_relapse = asyncio.get_running_loop().time() - lateness.returned_s < RELAPSE_S
            lateness.pause_s = min(2 * lateness.pause_s, LONGEST_PAUSE_S) if is_relapse else FIRST_PAUSE_S
            lateness.is_out = True

    def record_reply(self, lane: RotatedLane) -> None:
        """Starts the pause of a late lane that has replied; after it, the lane is in rotation again."""
        lateness = self._late.get(lane)
        if lateness is not None and lateness.is_out and not lateness.is_returning:
            lateness.is_returning = True
            asyncio.get_running_loop().call_later(lateness.pause_s, self._return, lateness)

    def record_failure(self, lane: RotatedLane) -> None:
        """Takes out `lane`, which has replied with an error, for `REST_S`."""
        self._failing.add(lane)
        asyncio.get_running_loop().call_later(REST_S, self._end_rest, lane)

    def forget(self, lane: RotatedLane) -> None:
        """Drops the state of a lane that is down or removed."""
        self._failing.discard(lane)
        self._late.pop(lane, None)

    def _return(self, lateness: _Lateness) -> None:
        lateness.is_out = lateness.is_returning = False
        lateness.returned_s = asyncio.get_running_loop().time()
        self._on_return()

    def _end_rest(self, lane: RotatedLane) -> None:
        self._failing.discard(lane)
        self._on_return()
