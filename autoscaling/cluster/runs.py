"""Runs simulations on as many processes as there are CPUs, and compares the results of several seeds."""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace

import numpy as np

from autoscaling.cluster.load import Load
from autoscaling.cluster.results import GameResult, summary
from autoscaling.cluster.simulation import STEP_S, simulate
from autoscaling.cluster.simulation_input import SimulationInput

NOTABLE_SPREAD = 0.1  # relative to the mean
_WHOLE = 0.9999  # share of whole answers with enough replicas
_PEAK_S = 600.0
_ROUNDS, _GROWTH = 25, 1.15


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
    """Simulates the same load again with fixed replicas that are enough at the peak.

    Each Deployment has its peak replicas of `results`, and more if whole answers need them: the maximum of an HPA may
    be too low. Deployments without room on the nodes stay too small.
    """
    fixed = {name: count for result in results for name, count in result.peak_replicas().items()}
    at_peak = replace(given, games=[(catalog, _steady_peak(load)) for catalog, load in given.games])
    for _ in range(_ROUNDS):
        tried = simulate(replace(at_peak, settings=replace(given.settings, fixed=fixed)))
        short = [name for result in tried for name in _too_small(result)]
        if not short:
            break
        fixed |= {name: math.ceil(_GROWTH * fixed[name]) + 1 for name in short}
    return simulate(replace(given, settings=replace(given.settings, fixed=fixed)))


def _steady_peak(load: Load) -> Load:
    peak_rps = float(load.means(STEP_S).max())
    return Load("the peak", np.array([0.0, _PEAK_S]), np.full(2, peak_rps))


def _too_small(result: GameResult) -> list[str]:
    """The Deployments that cost whole answers: models with late votes, otherwise the supervisors."""
    if result.share("full") >= _WHOLE:
        return []
    supervisors, *models = result.deployments
    late = [one.name for one in models if result.late_share(one) > (1 - _WHOLE) / 2]
    return late or [supervisors.name]


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
