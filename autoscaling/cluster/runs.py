"""Simulations of one input by several seeds, on as many processes as there are CPUs; and how much they differ."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace

from autoscaling.cluster.games import Place, Settings
from autoscaling.cluster.load import Load
from autoscaling.cluster.model_costs import ModelCosts
from autoscaling.cluster.results import GameResult, summary
from autoscaling.cluster.simulation import simulate
from mesh.catalog.catalog import Catalog

DIFFERS_MUCH = 0.1


@dataclass(frozen=True, slots=True)
class Input:
    """What a simulation is of."""

    games: Sequence[tuple[Catalog, Load]]
    costs: Mapping[Place, ModelCosts]
    settings: Settings


def by_seeds(what: Input, seeds: int, progress: Callable[[float], None]) -> list[list[GameResult]]:
    """The results of `seeds` seeds, from the settings' own on."""
    first = what.settings.seed
    inputs = [replace(what, settings=replace(what.settings, seed=first + number)) for number in range(seeds)]
    return each(inputs, progress)


def each(inputs: Sequence[Input], progress: Callable[[float], None]) -> list[list[GameResult]]:
    """The results of each of `inputs`; `progress` hears of the share that is done."""
    if len(inputs) == 1:
        return [simulate(inputs[0].games, inputs[0].costs, inputs[0].settings, progress=progress)]
    done = 0
    with ProcessPoolExecutor(_processes(len(inputs)), multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(_run, one) for one in inputs]
        for _ in as_completed(futures):
            done += 1
            progress(done / len(inputs))
        return [future.result() for future in futures]


def differences(results: Sequence[Sequence[GameResult]]) -> list[str]:
    """A line for each game's sum that differs much between seeds; what to think of a single one."""
    lines = []
    for game in range(len(results[0])):
        sums = [summary(one[game]) for one in results]
        for key in ("p95_ms", "full", "core_hours"):
            values = [float(one[key]) for one in sums]
            middle = sum(values) / len(values)
            if middle and (max(values) - min(values)) / middle > DIFFERS_MUCH:
                name = results[0][game].game
                lines.append(f"{name}: {key} is {min(values):.4g} to {max(values):.4g} over {len(results)} seeds")
    return lines


def _run(one: Input) -> list[GameResult]:
    return simulate(one.games, one.costs, one.settings)


def _processes(inputs: int) -> int:
    return min(inputs, len(os.sched_getaffinity(0)))
