"""`mesh rollout`: shows where the rollout of a game stands, and what comes. Reads only the catalog and the clock."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console

from mesh.catalog.catalog import Catalog
from mesh.catalog.catalog import load as load_catalog
from mesh.catalog.shifts import planned_version, shares_at
from mesh.cli.console import print_line, stdout, table
from mesh.cli.main import DONE


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """One step: the percentage of players of each version. `begins` is None for the time before the rollout."""

    begins: str | None
    state: Literal["done", "now", "next", "later"]
    shares: dict[str, float]


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """The shares of a game's versions now, and its steps. `version` is None without a rollout."""

    game: str
    version: str | None
    now: str
    holdout: float
    shares: dict[str, float]
    next_in_s: float | None
    steps: list[RolloutStep]


def run(arguments: argparse.Namespace) -> int:
    """Shows the rollout of a catalog; raises Misconfigured with the catalog's faults."""
    catalog = load_catalog(arguments.file)
    found = status(catalog, time.time())
    if arguments.json:
        print(json.dumps(asdict(found)))
    else:
        _print(stdout(), arguments.file, found)
        _print_guards(stdout(), catalog)
    return DONE


def status(catalog: Catalog, now_s: float) -> RolloutStatus:
    """Returns where the rollout of `catalog` stands at `now_s`, in seconds since 1970."""
    planned = planned_version(catalog.versions)
    end_s = planned[1].step_at(now_s).end_s if planned is not None else math.inf
    return RolloutStatus(
        catalog.game,
        planned[0] if planned is not None else None,
        _time(now_s),
        catalog.assignment.holdout,
        shares_at(catalog.versions, now_s),
        round(end_s - now_s, 3) if math.isfinite(end_s) else None,
        list(_steps(catalog, now_s)),
    )


def _steps(catalog: Catalog, now_s: float) -> Iterator[RolloutStep]:
    planned = planned_version(catalog.versions)
    if planned is None:
        return
    now = planned[1].step_at(now_s)
    for step in planned[1].all_steps():
        state: Literal["done", "now", "next", "later"]
        if step.start_s <= now.start_s:
            state = "now" if step == now else "done"
        else:
            state = "next" if step.start_s == now.end_s else "later"
        begins = _time(step.start_s) if math.isfinite(step.start_s) else None
        yield RolloutStep(begins, state, shares_at(catalog.versions, step.start_s))


def _time(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _print(console: Console, file: Path, found: RolloutStatus) -> None:
    names = list(found.shares)
    held_out = f"; the holdout, {found.holdout:g} % of all players, gets the fallback" if found.holdout else ""
    print_line(console, f"{file}: game {found.game}, {found.now}{held_out}")
    print_line(console, _summary(found))
    rows = table(("begins", "state"), [f"{name} %" for name in names])
    for step in found.steps or [RolloutStep(None, "now", found.shares)]:
        rows.add_row(step.begins or "-", step.state, *(f"{step.shares[name]:g}" for name in names))
    console.print(rows)


def _print_guards(console: Console, catalog: Catalog) -> None:
    """Prints the moves that this command does not know: only a supervisor sees whether the answers break a guard."""
    for name, version in catalog.versions.items():
        if version.guard is not None:
            text = f"the guard of {name} can give its players to {version.guard.to}"
            print_line(console, f"{text}: `mesh status` shows the shares in force")


def _summary(found: RolloutStatus) -> str:
    if found.version is None:
        return "no version has a rollout"
    share = f"version {found.version} has {found.shares[found.version]:g} % of the players"
    following = next((step for step in found.steps if step.state == "next"), None)
    if following is None or found.next_in_s is None:
        return f"{share}; the rollout is complete"
    return f"{share}; {following.shares[found.version]:g} % in {_duration(found.next_in_s)}"


def _duration(seconds: float) -> str:
    """Returns a duration with its two largest units, such as `2 h 5 min`."""
    left = math.ceil(seconds)
    parts: list[str] = []
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length_s)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
