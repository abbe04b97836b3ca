"""How the HPAs of a catalog differ from those that are there: field by field, as an operator reviews them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.catalog import quantities
from mesh.catalog.deployment.autoscalers import Autoscaler

ABSENT = "-"


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one HPA, as it is and as it would be; ABSENT where there is none."""

    name: str
    field: str
    now: str
    then: str


def changes(now: Iterable[Autoscaler], then: Iterable[Autoscaler]) -> Iterator[Change]:
    """What would change if `now` became `then`, HPA by HPA; another way of writing the same number is no change."""
    before, after = ({scaler.name: scaler for scaler in scalers} for scalers in (now, then))
    for name in [*after, *(name for name in before if name not in after)]:
        yield from _changes_of(name, before.get(name), after.get(name))


def _changes_of(name: str, now: Autoscaler | None, then: Autoscaler | None) -> Iterator[Change]:
    if now is None or then is None or now.kind != then.kind:
        yield Change(name, "kind", ABSENT if now is None else now.kind, ABSENT if then is None else then.kind)
    before, after = ({} if one is None else dict(_leaves("", one.spec)) for one in (now, then))
    for field in [*after, *(field for field in before if field not in after)]:
        if _number(before.get(field)) != _number(after.get(field)):
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
    """What a quantity is as a number: `500m` and `0.5` are the same; anything else as it is."""
    found = quantities.number(str(value))
    return value if found is None else found
