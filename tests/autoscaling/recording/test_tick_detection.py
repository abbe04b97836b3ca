"""Detection of reconciles from snapshots of an HPA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaling.recording.api_objects import Json, Snapshot, TargetState
from autoscaling.recording.tick_detection import ASSUMED, CHANGED, NO_MATCH, TickDetector
from autoscaling.traces.trace_file import RecordedMetrics, RecordedPod, Tick, TickIn

SYNC_S = 15.0
PODS = (RecordedPod(name="one", phase="Running"),)


def status(number: int, **fields: Any) -> Mapping[str, Any]:
    """Returns a status that a reconcile may write."""
    conditions = [{"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale"}]
    return {"currentReplicas": 1, "desiredReplicas": 1, "number": number, "conditions": conditions, **fields}


def snapshot(at_s: float, status: Json, value_m: int = 5, pods: tuple[RecordedPod, ...] = PODS) -> Snapshot:
    return Snapshot(at_s, {}, status, TargetState(len(pods), pods, RecordedMetrics(external=(value_m,))))


def matches(observed: TickIn, status: Json) -> bool:
    """A status with a value matches the snapshot with the same value."""
    return observed.metrics.external == (status.get("value"),)


def detected(*snapshots: Snapshot) -> list[Tick]:
    detector = TickDetector(matches, SYNC_S)
    return [tick for one in snapshots for tick in detector.add(one)]


def values(ticks: list[Tick]) -> list[tuple[float, tuple[int, ...] | None, str | None]]:
    return [(tick.observed.t_s, tick.observed.metrics.external, tick.doubt) for tick in ticks]


def test_change_between_equal_snapshots_is_a_tick_without_doubt() -> None:
    assert values(detected(snapshot(0.0, status(0)), snapshot(0.5, status(0)), snapshot(1.0, status(1)))) == [
        (0.5, (5,), None)
    ]


def test_no_tick_is_assumed_before_the_first_change() -> None:
    assert detected(*(snapshot(at_s / 2, status(0)) for at_s in range(200))) == []


def test_matching_snapshot_is_selected_if_snapshots_differ() -> None:
    for value_m in (4, 5, 6):
        after = snapshot(1.0, status(1, value=value_m), 6)
        assert values(detected(snapshot(0.0, status(0), 4), snapshot(0.5, status(0), 5), after)) == [
            (0.5, (value_m,), None)
        ]


def test_different_snapshots_that_match_the_status_cause_a_doubt() -> None:
    more = (*PODS, RecordedPod(name="two", phase="Running"))
    before = [snapshot(0.0, status(0), 5), snapshot(0.5, status(0), 5, more)]
    assert values(detected(*before, snapshot(1.0, status(1, value=5), 6))) == [(0.5, (5,), CHANGED)]


def test_metrics_that_change_at_every_reconcile_cause_no_doubts() -> None:
    """The controller and metrics-server have the same period: here each reconcile is 0.3 s after a scrape."""
    snapshots = []
    for number in range(40 * 30):
        at_s = number / 2
        scrape, tick = int((at_s + 0.2) // 15), int((at_s - 0.1) // 15)
        snapshots.append(snapshot(at_s, status(tick, value=tick), scrape))
    ticks = detected(*snapshots)
    assert len(ticks) == 40
    assert [tick.doubt for tick in ticks] == [None] * 40


def test_last_snapshot_before_the_change_is_selected_if_none_matches() -> None:
    after = snapshot(1.0, status(1, value=9), 6)
    assert values(detected(snapshot(0.0, status(0), 4), snapshot(0.5, status(0), 5), after)) == [(0.5, (5,), NO_MATCH)]


def test_pods_created_by_a_rescale_cause_no_doubt() -> None:
    rescaled = status(1, desiredReplicas=2, lastScaleTime="now", conditions=[{**RESCALED}])
    pods = (*PODS, RecordedPod(name="two", phase="Pending"))
    (tick,) = detected(snapshot(0.0, status(0)), snapshot(0.5, rescaled, pods=pods))
    assert (tick.doubt, tick.observed.pods, tick.out.spec_replicas, tick.out.rescaled) == (None, PODS, 2, True)


RESCALED = {"type": "AbleToScale", "status": "True", "reason": "SucceededRescale"}


def test_tick_without_a_change_is_assumed_when_it_is_due() -> None:
    snapshots = [snapshot(0.0, status(0)), *(snapshot(0.5 + at_s / 2, status(1)) for at_s in range(60))]
    assert values(detected(*snapshots)) == [(0.0, (5,), None), (15.005, (5,), ASSUMED)]


def test_ticks_are_placed_slightly_more_than_a_period_apart() -> None:
    """A policy's period of 15 s must be over at the next tick, although the bracket is half a second wide."""
    changes = [snapshot(at_s, status(int(at_s) // 15)) for at_s in (14.9, 15.4, 29.9, 30.5, 44.9, 45.6)]
    assert [tick.observed.t_s for tick in detected(*changes)] == [14.9, 29.905, 44.91]


def test_reconcile_that_could_not_read_the_scale_is_not_a_tick() -> None:
    unread = status(1, conditions=[{"type": "AbleToScale", "status": "False", "reason": "FailedGetScale"}])
    assert detected(snapshot(0.0, status(0)), snapshot(0.5, unread)) == []


def test_change_after_a_long_gap_is_in_doubt() -> None:
    (tick,) = detected(snapshot(0.0, status(0)), snapshot(9.0, status(1)))
    assert tick.doubt == "there was no snapshot in the 9.0 s before"
