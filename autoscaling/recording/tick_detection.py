"""When a controller looked, told from an HPA's status that changes: the API publishes no such time.

A status is written at the end of a reconcile, and only if anything in it is new. So some of it is known, and some not:

- A change between two looks is a reconcile between them; `currentReplicas` of the new status is the very
  `spec.replicas` that it saw.
- The looks around it bracket what it saw of pods and metrics. Where they are alike, that is what it saw. Where they are
  not, the one is taken whose metrics come to those that the new status shows, and the tick is in doubt.
- No change when one was due is a reconcile that came to the same. That it was, and when, is supposed: in doubt.
- The controller waits its whole period after each reconcile, so that ticks lie a period and a little apart. Times are
  placed so, within their bracket: windows and periods are multiples of the sync period, and that little decides.

Source: horizontal.go, `updateStatusIfNeeded`; rate_limiters.go
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from autoscaling.recording import api_objects
from autoscaling.recording.api_objects import Json, Sight
from autoscaling.traces.trace_file import Tick, TickIn

LITTLE_S = 0.005
CHANGED = "pods or metrics changed about then: this is the look that fits the status"
UNFITTING = "pods or metrics changed about then, and no look fits the status"
SUPPOSED = "the status did not change: that the controller looked, and when, is supposed"
LATE = "there was no look for {:.1f} s before"

Fits = Callable[[TickIn, Json], bool]


class Noticing:
    """The ticks of one HPA, told from looks at it in their order; `fits` says whether a status can come of a view."""

    def __init__(self, fits: Fits, sync_s: float) -> None:
        self._fits = fits
        self._sync_s = sync_s
        self._looks = deque[Sight]()
        self._last_s: float | None = None

    def take(self, sight: Sight) -> list[Tick]:
        """The ticks that `sight` brings to light."""
        looks, found = self._looks, list[Tick]()
        if looks and sight.status != looks[-1].status:
            found = self._changed(sight)
        elif self._last_s is not None and sight.at_s > self._last_s + 1.5 * self._sync_s:
            found = self._supposed(self._last_s + self._sync_s + LITTLE_S)
        looks.append(sight)
        while looks[0].at_s < sight.at_s - 3 * self._sync_s and len(looks) > 2:
            looks.popleft()
        return found

    def _changed(self, sight: Sight) -> list[Tick]:
        before = self._looks[-1]
        at_s = before.at_s
        if self._last_s is not None:
            at_s = min(max(at_s, self._last_s + self._sync_s + LITTLE_S), sight.at_s)
        self._last_s = at_s
        # A reconcile reads before it writes: it may have read before the last look.
        around = [before, *list(self._looks)[-2:-1], sight]
        blind_s = sight.at_s - before.at_s
        late = LATE.format(blind_s) if blind_s > self._sync_s / 3 else None
        return self._tick(at_s, around, before.status, sight.status, late)

    def _supposed(self, at_s: float) -> list[Tick]:
        self._last_s = at_s
        looks = list(self._looks)
        place = max((number for number, one in enumerate(looks) if one.at_s <= at_s), default=0)
        around = [looks[place], *looks[max(0, place - 1) : place], *looks[place + 1 : place + 2]]
        status = looks[-1].status
        return self._tick(at_s, around, status, status, SUPPOSED)

    def _tick(self, at_s: float, around: Sequence[Sight], before: Json, after: Json, doubt: str | None) -> list[Tick]:
        if not after.get("conditions") or _without_scale(after):
            return []
        views = [_view(at_s, one, after) for one in around]
        seen, out = views[0], api_objects.decided(before, after)
        if not all(_alike(seen, one, out.rescaled) for one in views[1:]):
            fitting = [one for one in views if self._fits(one, after)]
            seen = fitting[0] if fitting else seen
            doubt = doubt or (CHANGED if fitting else UNFITTING)
        return [Tick.model_validate({"in": seen, "out": out, "doubt": doubt})]


def _view(at_s: float, sight: Sight, after: Json) -> TickIn:
    replicas, world = after.get("currentReplicas", 0), sight.world
    return TickIn(
        t_s=round(at_s, 3),
        spec_replicas=replicas,
        status_replicas=world.status_replicas,
        pods=world.pods,
        metrics=world.answers,
    )


def _alike(one: TickIn, other: TickIn, rescaled: bool) -> bool:
    """Whether the two show the same; what a rescale brings about at once, pods that come or go, is no difference."""
    if not rescaled:
        return one == other
    both = {pod.name for pod in one.pods} & {pod.name for pod in other.pods}
    return _of(one, both) == _of(other, both)


def _of(seen: TickIn, names: set[str]) -> tuple[object, ...]:
    pods = [pod.model_copy(update={"deleting": False}) for pod in seen.pods if pod.name in names]
    answers = seen.metrics
    by_pod = [
        None if one is None else {name: value for name, value in one.items() if name in names}
        for one in (answers.resource, answers.pods)
    ]
    return pods, by_pod, answers.external, answers.object


def _without_scale(status: Json) -> bool:
    """Whether the controller could not read or write the scale: a reconcile that decides nothing."""
    return any(one["reason"] in ("FailedGetScale", "FailedUpdateScale") for one in status["conditions"])
