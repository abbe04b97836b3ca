"""Detects the reconciles of a controller from changes of an HPA's status, because the API does not publish them.

The controller writes a status at the end of a reconcile, and only if the status changed. Therefore:

- If the status changes between two snapshots, there was a reconcile between them. `currentReplicas` of the new status
  is the `spec.replicas` that the reconcile read.
- The snapshots around the reconcile bracket the pods and metrics that it read. If these snapshots agree, the reconcile
  read the same. If they differ, the new status shows which of them it read: the metrics of that snapshot match those
  of the status. The tick is doubtful only if no snapshot matches, or if two different snapshots match. The period of
  the controller is that of metrics-server, so that once the metrics change near a reconcile, they do so at every
  reconcile for an hour: the distance of both moves by RECONCILE_S each time.
- If the status does not change when a reconcile is due, the reconcile decided the same again. The detector assumes
  the reconcile and its time, and marks the tick as doubtful.
- The controller waits for its whole period after each reconcile, so that the distance of ticks is slightly above the
  period. The detector places ticks at this distance within their bracket. The small difference matters, because
  windows and periods are multiples of the sync period.

Source: horizontal.go, `updateStatusIfNeeded`; rate_limiters.go
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from autoscaling.recording import api_objects
from autoscaling.recording.api_objects import Json, Snapshot
from autoscaling.traces.trace_file import Tick, TickIn

RECONCILE_S = 0.005  # how much longer than the sync period the distance of two ticks is
CHANGED = "pods or metrics changed at about this time, and several different snapshots match the status"
NO_MATCH = "pods or metrics changed at about this time, and no snapshot matches the status"
ASSUMED = "the status did not change: the reconcile and its time are assumed"
LATE = "there was no snapshot in the {:.1f} s before"

Matches = Callable[[TickIn, Json], bool]


class TickDetector:
    """Detects the ticks of one HPA from snapshots in chronological order.

    `matches` returns whether an observation leads to the metrics of a status.
    """

    def __init__(self, matches: Matches, sync_s: float) -> None:
        self._matches = matches
        self._sync_s = sync_s
        self._snapshots = deque[Snapshot]()
        self._last_s: float | None = None

    def add(self, snapshot: Snapshot) -> list[Tick]:
        """Adds the next snapshot; returns the ticks that it reveals."""
        snapshots, found = self._snapshots, list[Tick]()
        if snapshots and snapshot.status != snapshots[-1].status:
            found = self._changed(snapshot)
        elif self._last_s is not None and snapshot.at_s > self._last_s + 1.5 * self._sync_s:
            found = self._assumed(self._last_s + self._sync_s + RECONCILE_S)
        snapshots.append(snapshot)
        while snapshots[0].at_s < snapshot.at_s - 3 * self._sync_s and len(snapshots) > 2:
            snapshots.popleft()
        return found

    def _changed(self, snapshot: Snapshot) -> list[Tick]:
        before = self._snapshots[-1]
        at_s = before.at_s
        if self._last_s is not None:
            at_s = min(max(at_s, self._last_s + self._sync_s + RECONCILE_S), snapshot.at_s)
        self._last_s = at_s
        # A reconcile reads before it writes: it may have read before the last snapshot.
        around = [before, *list(self._snapshots)[-2:-1], snapshot]
        gap_s = snapshot.at_s - before.at_s
        late = LATE.format(gap_s) if gap_s > self._sync_s / 3 else None
        return self._tick(at_s, around, before.status, snapshot.status, late)

    def _assumed(self, at_s: float) -> list[Tick]:
        self._last_s = at_s
        snapshots = list(self._snapshots)
        place = max((number for number, one in enumerate(snapshots) if one.at_s <= at_s), default=0)
        around = [snapshots[place], *snapshots[max(0, place - 1) : place], *snapshots[place + 1 : place + 2]]
        status = snapshots[-1].status
        return self._tick(at_s, around, status, status, ASSUMED)

    def _tick(
        self, at_s: float, around: Sequence[Snapshot], before: Json, after: Json, doubt: str | None
    ) -> list[Tick]:
        if not after.get("conditions") or _scale_failed(after):
            return []
        candidates = [_observed(at_s, one, after) for one in around]
        observed, out = candidates[0], api_objects.decision(before, after)
        if not all(_agree(observed, one, out.rescaled) for one in candidates[1:]):
            matching = [one for one in candidates if self._matches(one, after)]
            observed = matching[0] if matching else observed
            if not matching or not all(_agree(observed, one, out.rescaled) for one in matching[1:]):
                doubt = doubt or (CHANGED if matching else NO_MATCH)
        return [Tick.model_validate({"in": observed, "out": out, "doubt": doubt})]


def _observed(at_s: float, snapshot: Snapshot, after: Json) -> TickIn:
    replicas, target = after.get("currentReplicas", 0), snapshot.target
    return TickIn(
        t_s=round(at_s, 3),
        spec_replicas=replicas,
        status_replicas=target.status_replicas,
        pods=target.pods,
        metrics=target.metrics,
    )


def _agree(one: TickIn, other: TickIn, rescaled: bool) -> bool:
    """Whether both are equal. After a rescale, pods that appear or disappear at once do not count."""
    if not rescaled:
        return one == other
    both = {pod.name for pod in one.pods} & {pod.name for pod in other.pods}
    return _restricted(one, both) == _restricted(other, both)


def _restricted(observed: TickIn, names: set[str]) -> tuple[object, ...]:
    pods = [pod.model_copy(update={"deleting": False}) for pod in observed.pods if pod.name in names]
    metrics = observed.metrics
    by_pod = [
        None if one is None else {name: value for name, value in one.items() if name in names}
        for one in (metrics.resource, metrics.pods)
    ]
    return pods, by_pod, metrics.external, metrics.object


def _scale_failed(status: Json) -> bool:
    """Whether the controller could not read or write the scale: such a reconcile decides nothing."""
    return any(one["reason"] in ("FailedGetScale", "FailedUpdateScale") for one in status["conditions"])
