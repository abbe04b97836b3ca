"""Finds contradictions between the traffic, the rollout and the guards of a game's versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mesh import moment
from mesh.catalog.faults import Fault, Location, Tree, valid_part
from mesh.catalog.shifts import Guard, Rollout

_DEFAULT_BUDGET_MS = 300.0
_Raw = Mapping[str, Any]


def contradictions(tree: Tree) -> Iterator[Fault]:
    """Yields the contradictions in the file; ignores invalid values."""
    raw = tree.values.get("versions")
    versions = {str(name): one for name, one in raw.items() if isinstance(one, dict)} if isinstance(raw, dict) else {}
    planned = [name for name, version in versions.items() if version.get("rollout") is not None]
    yield from _traffic(tree, versions, planned)
    for name in planned:
        yield from _rollout(tree, versions, name, planned[0])
    guards = {name: guard for name, version in versions.items() if (guard := _block(Guard, version.get("guard")))}
    for name, guard in guards.items():
        yield from _guard(tree, versions, guards, name, guard)


def _traffic(tree: Tree, versions: Mapping[str, _Raw], planned: list[str]) -> Iterator[Fault]:
    shares = [version.get("traffic", 100) for name, version in versions.items() if name not in planned]
    are_valid = all(isinstance(share, int | float) and 0 <= share <= 100 for share in shares)
    if len(planned) > 1 or not shares or not are_valid:
        return
    if abs(sum(shares) - 100) > 1e-6:
        which = " without a rollout" if planned else ""
        problem = f"the traffic of the versions{which} adds up to {round(sum(shares), 6):.10g}"
        yield tree.fault(("versions",), problem, "change the shares so that they add up to 100")


def _rollout(tree: Tree, versions: Mapping[str, _Raw], name: str, first: str) -> Iterator[Fault]:
    at: Location = ("versions", name, "rollout")
    if name != first:
        yield tree.fault(at, f"version {first} has a rollout, too", "give one version a rollout at a time")
    if "traffic" in versions[name]:
        yield tree.fault(at, "the version has `traffic`, too", "remove one of them: a rollout sets the traffic")
    if len(versions) == 1:
        problem = "there is no other version, which has the players before the rollout"
        yield tree.fault(at, problem, "use `traffic`, or add the version that has the players now")
    plan = _block(Rollout, versions[name]["rollout"])
    if plan is None:
        return
    if moment.parse(plan.start) is None:
        yield tree.fault((*at, "start"), f"{plan.start!r} is not a time", "give a time such as 2026-12-01T10:00:00Z")
    for position, (before, after) in enumerate(zip(plan.steps, plan.steps[1:], strict=False), start=1):
        if after <= before:
            problem = f"{after:g} follows {before:g}"
            yield tree.fault((*at, "steps", position), problem, "list the steps in ascending order")


def _guard(
    tree: Tree, versions: Mapping[str, _Raw], guards: Mapping[str, Guard], name: str, guard: Guard
) -> Iterator[Fault]:
    at: Location = ("versions", name, "guard")
    if guard.whole is None and guard.p99_ms is None:
        yield tree.fault(at, "has no bound", "add `whole`, `p99_ms` or both")
    budget_ms = tree.values.get("budget_ms", _DEFAULT_BUDGET_MS)
    if guard.p99_ms is not None and isinstance(budget_ms, int | float) and guard.p99_ms >= budget_ms:
        problem = f"no answer takes {guard.p99_ms:g} ms, because budget_ms is {budget_ms:g}"
        yield tree.fault((*at, "p99_ms"), problem, "lower it")
    if guard.to == name:
        yield tree.fault((*at, "to"), "is the version of the guard", "name another version")
    elif guard.to not in versions:
        known = ", ".join(other for other in versions if other != name) or "none"
        yield tree.fault((*at, "to"), f"there is no version {guard.to!r}", f"name another version; known: {known}")
    elif name in _reached(guards, guard.to):
        problem = f"version {guard.to} can give its players back to this version"
        yield tree.fault((*at, "to"), problem, "remove one of the guards, or let both name a third version")


def _reached(guards: Mapping[str, Guard], version: str) -> set[str]:
    """The versions to which the players of `version` can go."""
    reached: set[str] = set()
    while version in guards and guards[version].to not in reached:
        version = guards[version].to
        reached.add(version)
    return reached


def _block(kind: Any, values: Any) -> Any:
    """The block without its invalid keys; None if it is not usable."""
    return valid_part(kind, values, {}) if isinstance(values, dict) else None
