"""Holds the engine against recorded decisions, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autoscaling.engine.hpa import Hpa
from autoscaling.engine.reconciliation import Decision, reconcile
from autoscaling.engine.state import NEW, Condition
from autoscaling.traces.current_metrics import current_metrics
from autoscaling.traces.observations import sights
from autoscaling.traces.trace_file import Tick, TickOut, Trace

FIELDS = ("spec_replicas", "rescaled", "desired_replicas", "conditions", "current_metrics", "error")

# The controller lists pods from a cache without an order: which of several it names is chance.
_ANY_POD = re.compile(r"(?<= of Pod )\S+|(?<= in Pod )\S+|(?<= for pod )\S+")


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one tick that came out otherwise."""

    t_s: float
    field: str
    recorded: Any
    computed: Any
    doubt: str | None = None


def decisions(trace: Trace, hpa: Hpa) -> Iterator[Decision]:
    """What the engine decides at every tick, seeing what was recorded and remembering what it decided itself."""
    before = trace.before
    conditions = tuple(Condition(one["type"], one["status"], one["reason"]) for one in before.conditions)
    state = NEW._replace(conditions=conditions, desired_replicas=before.desired_replicas)
    for seen in sights(trace, hpa):
        decision = reconcile(hpa, state, seen)
        state = decision.state
        yield decision


def differences(trace: Trace, hpa: Hpa) -> Iterator[Difference]:
    """Each field that differs, tick by tick, of what `is_compared`."""
    fields = compared_fields(trace)
    for tick, decision in zip(trace.ticks, decisions(trace, hpa), strict=True):
        if not is_compared(trace, tick):
            continue
        recorded, computed = _recorded(tick.out), _computed(hpa, decision)
        for field in fields:
            if recorded[field] != computed[field]:
                yield Difference(tick.seen.t_s, field, recorded[field], computed[field], tick.doubt)


def is_compared(trace: Trace, tick: Tick) -> bool:
    """Whether all that the controller remembered at `tick` was recorded."""
    return trace.compared_from_s is None or tick.seen.t_s >= trace.compared_from_s


def compared_fields(trace: Trace) -> list[str]:
    """Those of `FIELDS` that the trace has."""
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
        "current_metrics": current_metrics(hpa, decision.reasoning),
        "error": _comparable(decision.error),
    }


def _by_type(conditions: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    return {kind: f"{status} {reason}" for kind, status, reason in conditions}


def _comparable(error: str | None) -> str | None:
    return None if error is None else _ANY_POD.sub("*", error)
