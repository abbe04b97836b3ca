"""Replays a trace with the engine, and compares the decisions field by field."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaling.engine.hpa import Hpa
from autoscaling.engine.reconciliation import Decision, reconcile
from autoscaling.engine.state import INITIAL_STATE, Condition
from autoscaling.traces.current_metrics import current_metrics
from autoscaling.traces.observations import observations
from autoscaling.traces.trace_file import Tick, TickOut, Trace
from mesh.errors import Misconfigured

FIELDS = ("spec_replicas", "rescaled", "desired_replicas", "conditions", "current_metrics", "error")

# The controller lists pods from a cache without an order: the pod that an error names is random.
_ANY_POD = re.compile(r"(?<= of Pod )\S+|(?<= in Pod )\S+|(?<= for pod )\S+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one tick for which the engine computes another value than the controller."""

    t_s: float
    field: str
    recorded: Any
    computed: Any
    doubt: str | None = None


def decisions(trace: Trace, hpa: Hpa) -> Iterator[Decision]:
    """Yields the engine's decision at each tick, for the recorded observation and the engine's own state."""
    before = trace.before
    conditions = tuple(Condition(one["type"], one["status"], one["reason"]) for one in before.conditions)
    state = INITIAL_STATE._replace(conditions=conditions, desired_replicas=before.desired_replicas)
    for observed in observations(trace, hpa):
        decision = reconcile(hpa, state, observed)
        state = decision.state
        yield decision


def decision_at(trace: Trace, hpa: Hpa, at_s: float, file: Path) -> Decision:
    """Returns the decision of the last tick at or before `at_s`.

    Raises Misconfigured if `at_s` is before the first tick, or so long after the last tick that another one was due.
    """
    times_s = [tick.observed.t_s for tick in trace.ticks]
    if not times_s:
        raise Misconfigured([f"{file}: the trace has no ticks; record another one with `mesh hpa record`"])
    if not times_s[0] <= at_s < times_s[-1] + trace.controller.sync_s:
        fix = f"give seconds from {times_s[0]:g} to {times_s[-1]:g}"
        raise Misconfigured([f"{file}: --at {at_s:g}: is outside of the trace; {fix}"])
    places = [place for place, t_s in enumerate(times_s) if t_s <= at_s]
    return next(itertools.islice(decisions(trace, hpa), places[-1], None))


def differences(trace: Trace, hpa: Hpa) -> Iterator[Difference]:
    """Yields each field that differs, tick by tick; skips ticks for which `is_compared` is false."""
    fields = compared_fields(trace)
    for tick, decision in zip(trace.ticks, decisions(trace, hpa), strict=True):
        if not is_compared(trace, tick):
            continue
        recorded, computed = _recorded(tick.out), _computed(hpa, decision)
        for field in fields:
            if recorded[field] != computed[field]:
                yield Difference(tick.observed.t_s, field, recorded[field], computed[field], tick.doubt)


def is_compared(trace: Trace, tick: Tick) -> bool:
    """Returns whether the trace contains the whole state that the controller had at `tick`."""
    return trace.compared_from_s is None or tick.observed.t_s >= trace.compared_from_s


def compared_fields(trace: Trace) -> list[str]:
    """Returns the `FIELDS` that the trace contains."""
    return [field for field in FIELDS if field not in trace.not_recorded]


def _recorded(out: TickOut) -> dict[str, Any]:
    return {
        "spec_replicas": out.spec_replicas,
        "rescaled": out.rescaled,
        "desired_replicas": out.desired_replicas,
        "conditions": _by_type((one["type"], one["status"], one["reason"]) for one in out.conditions),
        "current_metrics": list(out.current_metrics or ()),
        "error": _comparable(out.error),
    }


def _computed(hpa: Hpa, decision: Decision) -> Mapping[str, Any]:
    return {
        "spec_replicas": decision.replicas,
        "rescaled": decision.rescaled,
        "desired_replicas": decision.desired_replicas,
        "conditions": _by_type(decision.conditions),
        "current_metrics": current_metrics(hpa, decision.rationale),
        "error": _comparable(decision.error),
    }


def _by_type(conditions: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    return {kind: f"{status} {reason}" for kind, status, reason in conditions}


def _comparable(error: str | None) -> str | None:
    return None if error is None else _ANY_POD.sub("*", error)
