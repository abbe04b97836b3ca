"""The rotation: which lanes receive rows."""

from __future__ import annotations

import asyncio

from supervisor.lane import LaneState
from supervisor.rotation import FIRST_PAUSE_S, LONGEST_PAUSE_S, RELAPSE_S, REST_S, Rotation
from tests.supervisor.virtual_time import in_virtual_time, now_s

MOMENT_S = 0.001


class FakeLane:
    def __init__(self, state: LaneState = "up") -> None:
        self.state: LaneState = state


@in_virtual_time
async def test_only_lanes_that_are_up_are_usable() -> None:
    rotation = Rotation(lambda: None)
    up, down, connecting = FakeLane(), FakeLane("down"), FakeLane("connecting")
    assert rotation.usable([up, down, connecting]) == [up]
    rotation.record_overdue(up)
    assert rotation.usable([up, down]) == [up]
    assert rotation.in_rotation([up, down]) == []


@in_virtual_time
async def test_late_lane_is_out_until_a_pause_after_its_reply() -> None:
    returns: list[float] = []
    rotation = Rotation(lambda: returns.append(now_s()))
    late, other = FakeLane(), FakeLane()
    rotation.record_overdue(late)
    await asyncio.sleep(60)
    assert rotation.usable([late, other]) == [other]
    replied_s = now_s()
    for _ in range(3):
        rotation.record_reply(late)
    await asyncio.sleep(FIRST_PAUSE_S - MOMENT_S)
    assert rotation.usable([late, other]) == [other]
    await asyncio.sleep(2 * MOMENT_S)
    assert rotation.usable([late, other]) == [late, other]
    assert [round(one - replied_s, 3) for one in returns] == [FIRST_PAUSE_S]


@in_virtual_time
async def test_pause_doubles_with_each_relapse_and_is_short_again_after_a_calm_time() -> None:
    returned = asyncio.Event()
    rotation = Rotation(returned.set)
    late = FakeLane()

    async def out_s() -> float:
        """The time out of rotation after a reply that was overdue."""
        returned.clear()
        rotation.record_overdue(late)
        rotation.record_reply(late)
        began_s = now_s()
        await returned.wait()
        return round(now_s() - began_s, 3)

    pauses = [await out_s() for _ in range(6)]
    assert pauses == [FIRST_PAUSE_S, 0.2, 0.4, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    await asyncio.sleep(RELAPSE_S + MOMENT_S)
    assert await out_s() == FIRST_PAUSE_S


@in_virtual_time
async def test_failing_lane_rests() -> None:
    rotation = Rotation(lambda: None)
    failing, other = FakeLane(), FakeLane()
    rotation.record_failure(failing)
    assert rotation.usable([failing, other]) == [other]
    assert rotation.usable([failing]) == [failing]
    assert rotation.out == 1
    await asyncio.sleep(REST_S + MOMENT_S)
    assert rotation.usable([failing]) == [failing]
    assert rotation.out == 0


@in_virtual_time
async def test_late_lanes_are_usable_if_every_lane_is_late_or_failing() -> None:
    rotation = Rotation(lambda: None)
    late, failing = FakeLane(), FakeLane()
    rotation.record_overdue(late)
    rotation.record_failure(failing)
    assert rotation.usable([late, failing]) == [late]
    assert rotation.out == 2


@in_virtual_time
async def test_forgotten_lane_is_in_at_once() -> None:
    rotation = Rotation(lambda: None)
    late, other = FakeLane(), FakeLane()
    rotation.record_overdue(late)
    rotation.record_failure(late)
    rotation.forget(late)
    assert rotation.usable([late, other]) == [late, other]
    assert rotation.out == 0
