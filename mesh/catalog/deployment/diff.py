"""Compares the HPAs of a catalog with existing HPAs, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.catalog import quantities
from mesh.catalog.deployment.autoscalers import Autoscaler

ABSENT = "-"
_MINIMUM = ("minReplicas", "minReplicaCount")


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one HPA: its current value (`now`) and its new value (`then`); ABSENT if there is none."""

    name: str
    field: str
    now: str
    then: str


def changes(now: Iterable[Autoscaler], then: Iterable[Autoscaler]) -> Iterator[Change]:
    """Yields the changes from `now` to `then`, HPA by HPA. Two notations of the same quantity are not a change.

    A minimum that a window of the schedule has set is not a change either.
    """
    before, after = ({scaler.name: scaler for scaler in scalers} for scalers in (now, then))
    for name in [*after, *(name for name in before if name not in after)]:
        yield from _changes_of(name, before.get(name), after.get(name))


def _changes_of(name: str, now: Autoscaler | None, then: Autoscaler | None) -> Iterator[Change]:
    if now is None or then is None or now.kind != then.kind:
        yield Change(name, "kind", ABSENT if now is None else now.kind, ABSENT if then is None else then.kind)
    before, after = ({} if one is None else dict(_leaves("", one.spec)) for one in (now, then))
    for field in [*after, *(field for field in before if field not in after)]:
        scheduled = field in _MINIMUM and then is not None and before.get(field) in {one.min for one in then.schedule}
        if _number(before.get(field)) != _number(after.get(field)) and not scheduled:
            yield Change(name, field, _shown(before.get(field)), _shown(after.get(field)))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), part)
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            yield from _leaves(f"{path}[{position}]", part)
    else:
        yield path, value


def _shown(value: Any) -> str:
    return ABSENT if value is None else str(value)


def _number(value: Any) -> Any:
    """Returns the number of a quantity, such as 0.5 for `500m`, and any other value unchanged."""
    found = quantities.number(str(value))
    return value if found is None else found
