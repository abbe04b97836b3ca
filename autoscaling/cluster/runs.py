"""Runs simulations on as many processes as there are CPUs, and compares the results of several seeds."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

from autoscaling.cluster.results import GameResult, summary
from autoscaling.cluster.simulation import simulate
from autoscaling.cluster.simulation_input import SimulationInput

NOTABLE_SPREAD = 0.1  # relative to the mean


def run_seeds(given: SimulationInput, seeds: int, progress: Callable[[float], None]) -> list[list[GameResult]]:
    """Returns the results of `seeds` consecutive seeds; the first is that of the settings."""
    first = given.settings.seed
    inputs = [replace(given, settings=replace(given.settings, seed=first + number)) for number in range(seeds)]
    return run_all(inputs, progress)


def run_all(inputs: Sequence[SimulationInput], progress: Callable[[float], None]) -> list[list[GameResult]]:
    """Returns the results of all `inputs`; `progress` receives the share that is done."""
    if len(inputs) == 1:
        return [simulate(inputs[0], progress=progress)]
    done = 0
    with ProcessPoolExecutor(_processes(len(inputs)), multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(simulate, one) for one in inputs]
        for _ in as_completed(futures):
            done += 1
            progress(done / len(inputs))
        return [future.result() for future in futures]


def run_fixed_at_peak(given: SimulationInput, results: Sequence[GameResult]) -> list[GameResult]:
    """Simulates the same load again with fixed replicas: each Deployment has its peak replicas of `results`."""
    peak = {name: count for result in results for name, count in result.peak_replicas().items()}
    return simulate(replace(given, settings=replace(given.settings, fixed=peak)))


def notable_spreads(results: Sequence[Sequence[GameResult]]) -> list[str]:
    """Returns a line for each total of a game that varies by more than NOTABLE_SPREAD between seeds."""
    lines = []
    for game in range(len(results[0])):
        totals = [summary(one[game]) for one in results]
        for key in ("p95_ms", "full", "core_hours"):
            values = [float(one[key]) for one in totals]
            mean = sum(values) / len(values)
            if mean and (max(values) - min(values)) / mean > NOTABLE_SPREAD:
                name = results[0][game].game
                lines.append(f"{name}: {key} is {min(values):.4g} to {max(values):.4g} over {len(results)} seeds")
    return lines


def _processes(inputs: int) -> int:
    return min(inputs, len(os.sched_getaffinity(0)))
