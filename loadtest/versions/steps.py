"""The changes of the catalog, one after the other."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loadtest.versions.game import TABLES, State, VersionsGame

FIRST = State({"v1": 90, "v2": 10})


@dataclass(frozen=True, slots=True)
class World:
    """The game and the running mesh; `ready` is the event of `mesh up`."""

    game: VersionsGame
    ready: dict[str, Any]

    def kill_worker(self, version: str, model: str) -> None:
        """Kills the first worker of a model."""
        workers = self.ready["workers"]
        pid = next(one["pid"] for one in workers if (one["version"], one["model"]) == (version, model))
        os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Step:
    """A change, and the state that should be in force after it. A change that is `refused` leaves the state before."""

    name: str
    state: State
    change: Callable[[World], None]
    is_refused: bool = False


def steps() -> Sequence[Step]:
    """The changes that the issue of a live catalog names: traffic, versions, models, bad files, faults, offers."""
    half = State({"v1": 50, "v2": 50})
    replaced = replace(half, second="v2-replaced")
    offers = replace(replaced, table=TABLES[1])
    back = replace(offers, traffic={"v1": 100, "v2": 0})
    return (
        _written("traffic of v2: 10 to 50 %", half),
        _written("traffic of v2: 50 to 100 %", State({"v1": 0, "v2": 100})),
        _written("traffic of v2: back to 10 %", FIRST),
        _written("version v3 added, 20 %", State({"v1": 70, "v2": 10, "v3": 20})),
        _written("version v3 removed, v2 50 %", half),
        Step("model of v2 replaced in place", replaced, lambda world: _replace_in_place(world, replaced)),
        _bad_file("model of v2 replaced by a corrupt file", replaced, "corrupt.txt"),
        _bad_file("model of v2 replaced by one with other features", replaced, "other-features.txt"),
        Step("catalog with faults (traffic 150 %)", replaced, lambda world: _fault(world, replaced), is_refused=True),
        Step("table of offers replaced", offers, lambda world: _replace_offers(world, offers)),
        Step("v2 rolled back while a worker of v2 dies", back, lambda world: _roll_back(world, back)),
    )


def _written(name: str, state: State) -> Step:
    return Step(name, state, lambda world: world.game.write(state))


def _bad_file(name: str, state: State, uri: str) -> Step:
    return Step(name, state, lambda world: world.game.write(state, uri), is_refused=True)


def _replace_in_place(world: World, state: State) -> None:
    world.game.put_model(state.second)
    world.game.write(state)


def _fault(world: World, state: State) -> None:
    world.game.write(replace(state, traffic={"v1": 100, "v2": 50}))


def _replace_offers(world: World, state: State) -> None:
    world.game.put_table(state.table)
    world.game.write(state)


def _roll_back(world: World, state: State) -> None:
    world.game.write(state)
    world.kill_worker("v2", "m01")
