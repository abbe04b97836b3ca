"""The time before the first row: a table of candidates, loading, and the start of a worker with its proof."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from loadtest.errors import CannotMeasure
from loadtest.measurement.latency import median
from loadtest.micro.forest.engines import Libraries
from model_worker.forest import Candidates
from model_worker.forest.lightgbm_c import LightGbmForest
from model_worker.forest.loader import load
from model_worker.forest.packed import PackedForest
from model_worker.proof import Proof, trial_command

Result = TypeVar("Result")

CANDIDATES, COLUMNS = 100, 10
TABLES = 20
# The settings of a worker.
PROOF_MEMORY_MB, PROOF_S = 2048, 20.0


@dataclass(frozen=True, slots=True)
class Loading:
    """CPU for making one table of candidates and for loading one model, medians over models and rounds."""

    table_us: float
    packed_ms: float
    lightgbm_ms: float


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a worker up to a warm model: proof in a child process, load and warm-up."""

    seconds: float
    child_cpu_s: float


def measure_loading(libraries: Libraries, files: Sequence[Path], rounds: int) -> Loading:
    """Loads all models one after the other in each round."""
    tables, packed, lightgbm = list[float](), list[float](), list[float]()
    for _ in range(rounds):
        for model in map(Path.read_bytes, files):
            cost_s, forest = _cost_s(partial(PackedForest, libraries.engine, model))
            packed.append(cost_s * 1e3)
            lightgbm.append(_cost_s(partial(LightGbmForest, libraries.lightgbm, model))[0] * 1e3)
            tables.append(_table_us(forest))
    return Loading(median(tables), median(packed), median(lightgbm))


def measure_start(libraries: Libraries, file: Path, rounds: int) -> tuple[Start, Start]:
    """Starts with the engine and with LightGBM alone, in turn; raises CannotMeasure if the proof rejects the engine.

    The child runs as a worker starts it, but without the imports that a worker does at the same time.
    """
    found: dict[str | None, list[Start]] = {libraries.engine: [], None: []}
    for _ in range(rounds):
        for engine, starts in found.items():
            starts.append(_start(libraries.lightgbm, engine, file))
    with_engine, without = map(median, found.values())
    return with_engine, without


def _start(library: str, engine: str | None, file: Path) -> Start:
    began_s, before_s = time.monotonic(), _children_cpu_s()
    with file.open("rb") as model:
        proof = Proof(model, trial_command(library, PROOF_MEMORY_MB, PROOF_S, engine), PROOF_S)
        if objection := proof.wait():
            raise CannotMeasure(f"the proof rejects the scoring engine for {file}: {objection}")
    load(file.read_bytes(), library, 1, engine, None)
    return Start(time.monotonic() - began_s, _children_cpu_s() - before_s)


def _children_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _table_us(forest: PackedForest) -> float:
    columns = tuple(range(forest.features - COLUMNS, forest.features))
    values = np.random.default_rng(1).normal(size=(CANDIDATES, COLUMNS)).tobytes()
    candidates = Candidates(columns, values, CANDIDATES)
    cost_s, _ = _cost_s(lambda: [forest.table(candidates) for _ in range(TABLES)])
    return cost_s / TABLES * 1e6


def _cost_s(work: Callable[[], Result]) -> tuple[float, Result]:
    began_s = time.thread_time()
    result = work()
    return time.thread_time() - began_s, result
