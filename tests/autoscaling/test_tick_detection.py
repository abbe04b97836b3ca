"""When a controller looked, and what it saw, told from looks at an HPA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaling.recording.api_objects import Json, Sight, World
from autoscaling.recording.tick_detection import CHANGED, SUPPOSED, UNFITTING, Noticing
from autoscaling.traces.trace_file import Answers, RecordedPod, Tick, TickIn

SYNC_S = 15.0
PODS = (RecordedPod(name="one", phase="Running"),)


def status(number: int, **fields: Any) -> Mapping[str, Any]:
    """What one reconcile might write."""
    conditions = [{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"}]
    return {"currentReplicas": 1, "desiredReplicas": 1, "number": number, "conditions": conditions, **fields}


def look(at_s: float, said: Json, value_m: int = 5, pods: tuple[RecordedPod, ...] = PODS) -> Sight:
    return Sight(at_s, {}, said, World(len(pods), pods, Answers(external=(value_m,))))


def fits(seen: TickIn, said: Json) -> bool:
    """A status that names a value fits the look that has it."""
    return seen.metrics.external == (said.get("value"),)


def noticed(*looks: Sight) -> list[Tick]:
    noticing = Noticing(fits, SYNC_S)
    return [tick for one in looks for tick in noticing.take(one)]


def values(ticks: list[Tick]) -> list[tuple[float, tuple[int, ...] | None, str | None]]:
    return [(tick.seen.t_s, tick.seen.metrics.external, tick.doubt) for tick in ticks]


def test_a_change_between_looks_that_are_alike_is_a_tick_without_doubt() -> None:
    assert values(noticed(look(0.0, status(0)), look(0.5, status(0)), look(1.0, status(1)))) == [(0.5, (5,), None)]


def test_no_change_is_no_tick_while_none_was_ever_seen() -> None:
    assert noticed(*(look(at_s / 2, status(0)) for at_s in range(200))) == []


def test_of_looks_that_differ_the_one_is_taken_that_the_status_fits() -> None:
    for value_m in (4, 5, 6):
        after = look(1.0, status(1, value=value_m), 6)
        assert values(noticed(look(0.0, status(0), 4), look(0.5, status(0), 5), after)) == [(0.5, (value_m,), CHANGED)]


def test_where_none_fits_it_is_the_last_one_before() -> None:
    after = look(1.0, status(1, value=9), 6)
    assert values(noticed(look(0.0, status(0), 4), look(0.5, status(0), 5), after)) == [(0.5, (5,), UNFITTING)]


def test_the_pods_that_a_rescale_makes_are_no_doubt() -> None:
    rescaled = status(1, desiredReplicas=2, lastScaleTime="now", conditions=[{**RESCALED}])
    pods = (*PODS, RecordedPod(name="two", phase="Pending"))
    (tick,) = noticed(look(0.0, status(0)), look(0.5, rescaled, pods=pods))
    assert (tick.doubt, tick.seen.pods, tick.out.spec_replicas, tick.out.rescaled) == (None, PODS, 2, True)


RESCALED = {"type": "AbleToScale", "status": "True", "reason": "SucceededRescale"}


def test_a_tick_that_came_to_the_same_is_supposed_where_it_was_due() -> None:
    looks = [look(0.0, status(0)), *(look(0.5 + at_s / 2, status(1)) for at_s in range(60))]
    assert values(noticed(*looks)) == [(0.0, (5,), None), (15.005, (5,), SUPPOSED)]


def test_ticks_lie_a_period_and_a_little_apart_though_the_looks_do_not_tell() -> None:
    """A policy's period of 15 s is over at the next tick: a bracket of half a second must not say otherwise."""
    changes = [look(at_s, status(int(at_s) // 15)) for at_s in (14.9, 15.4, 29.9, 30.5, 44.9, 45.6)]
    assert [tick.seen.t_s for tick in noticed(*changes)] == [14.9, 29.905, 44.91]


def test_a_reconcile_that_could_not_read_the_scale_is_no_tick() -> None:
    unread = status(1, conditions=[{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale"}])
    assert noticed(look(0.0, status(0)), look(0.5, unread)) == []


def test_a_change_that_was_missed_for_long_is_in_doubt() -> None:
    (tick,) = noticed(look(0.0, status(0)), look(9.0, status(1)))
    assert tick.doubt == "there was no look for 9.0 s before"
