"""Measures one model: several starts, then messages of every size, one at a time and in a full queue."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from autoscaling.capacity_profile import Batch, ModelProfile, Spread
from autoscaling.cluster.model_costs import ModelKey
from loadtest.capacity.curve import capacity_of, fit
from loadtest.capacity.pauses import PAUSES_S, idle_cores, paused
from loadtest.capacity.worker import Matrix, Stream, Worker, started
from loadtest.measurement import meters
from loadtest.measurement.latency import percentiles
from mesh.catalog.files import header_of
from mesh.catalog.members import Member
from mesh.model_file import ModelHeader

LEAST_MESSAGES = 20
QUEUED_MESSAGES = 3  # enough to keep the worker always busy
DIFFERENT_MESSAGES = 16  # with equal rows, every visited node of the trees would stay in the CPU cache


@dataclass(frozen=True, slots=True)
class Extent:
    """The extent of the measurement: rows per message, starts, and seconds for each of the two figures of a batch."""

    batches: tuple[int, ...]
    starts: int
    seconds: float


async def measure(
    key: ModelKey, model: Member, rows: Matrix, extent: Extent, progress: Callable[[str], None]
) -> ModelProfile:
    """The profile of one model under its `key`; the messages contain `rows` [rows, features] in turn."""
    game, home, name = key
    header, sha256 = header_of(model), await asyncio.to_thread(_sha256, Path(model.uri))
    starts: list[Worker] = []
    with tempfile.TemporaryDirectory(prefix="loadtest-profile-") as folder:
        for number in range(extent.starts - 1):
            async with started(model, Path(folder)) as worker:
                starts.append(worker)
            progress(f"{model.name}: start {number + 1} of {extent.starts}: {worker.start_s:.2f} s")
        async with started(model, Path(folder)) as worker:
            starts.append(worker)
            idle = await idle_cores(worker, extent.seconds)
            batches = [await _batch(worker, model.name, rows, count, extent, progress) for count in extent.batches]
            fewest = rows[: extent.batches[0]]
            pauses = [await paused(worker, model.name, fewest, pause_s, progress) for pause_s in PAUSES_S]
            pss_mb = meters.pss_mb(worker.pid)
    return ModelProfile(
        game=game,
        version=home,
        name=name,
        sha256=sha256,
        trees=header.trees,
        features=len(header.feature_names),
        start_s=_spread([worker.start_s for worker in starts]),
        start_cpu_s=statistics.median(worker.start_cpu_s for worker in starts),
        pss_mb=pss_mb,
        idle_cores=idle,
        batches=tuple(batches),
        pauses=tuple(pauses),
        curve=fit(batches),
        capacity=capacity_of(batches),
    )


def drawn_rows(header: ModelHeader, players: Matrix, columns: Sequence[str], rng: np.random.Generator) -> Matrix:
    """Rows similar to those in production: values of the store for its columns, random values for other features.

    A categorical feature is a random code of the model's list, or NaN if the list is empty. Other features are normal.
    """
    rows = rng.normal(size=(len(players), len(header.feature_names)))
    for position, name in enumerate(header.feature_names):
        if name in header.categories:
            rows[:, position] = _codes(len(header.categories[name]), len(players), rng)
        elif name in columns:
            rows[:, position] = players[:, columns.index(name)]
    return rows


def _codes(categories: int, count: int, rng: np.random.Generator) -> Matrix:
    return rng.integers(categories, size=count).astype(np.float64) if categories else np.full(count, np.nan)


async def _batch(
    worker: Worker, name: str, rows: Matrix, count: int, extent: Extent, progress: Callable[[str], None]
) -> Batch:
    stream = Stream(worker, name)
    picked = np.resize(np.arange(len(rows)), (DIFFERENT_MESSAGES, count))
    messages = [stream.message(np.ascontiguousarray(rows[positions])) for positions in picked]
    predict_ms, round_trip_ms = await _one_at_a_time(stream, messages, extent.seconds)
    rows_per_s, cpu_us = await _full_queue(stream, worker, messages, count, extent.seconds)
    await stream.close()
    batch = Batch(
        rows=count,
        predict_p50_ms=percentiles(predict_ms, 50)[0],
        predict_p95_ms=percentiles(predict_ms, 95)[0],
        predict_mean_ms=statistics.fmean(predict_ms),
        round_trip_p50_ms=percentiles(round_trip_ms, 50)[0],
        round_trip_p95_ms=percentiles(round_trip_ms, 95)[0],
        rows_per_s=rows_per_s,
        cpu_us_per_row=cpu_us,
    )
    progress(f"{name}: {count} rows: {batch.predict_p50_ms:.2f} ms, {rows_per_s:,.0f} rows per second")
    return batch


async def _one_at_a_time(stream: Stream, messages: Sequence[bytes], seconds: float) -> tuple[list[float], list[float]]:
    predict_ms: list[float] = []
    round_trip_ms: list[float] = []
    for message in messages[:2]:  # warm
        await stream.send(message)
        await stream.predict_ms()
    end_s = time.monotonic() + seconds
    for message in cycle(messages):
        if time.monotonic() >= end_s and len(predict_ms) >= LEAST_MESSAGES:
            break
        sent_s = time.monotonic()
        await stream.send(message)
        predict_ms.append(await stream.predict_ms())
        round_trip_ms.append((time.monotonic() - sent_s) * 1000)
    return predict_ms, round_trip_ms


async def _full_queue(
    stream: Stream, worker: Worker, messages: Sequence[bytes], count: int, seconds: float
) -> tuple[float, float]:
    """Rows per second, and microseconds of CPU per row."""
    turn = cycle(messages)
    in_flight = 0
    answered, began_s, began_cpu_s = 0, time.monotonic(), meters.cpu_s([worker.pid])
    while time.monotonic() < began_s + seconds or answered < LEAST_MESSAGES:
        while in_flight < QUEUED_MESSAGES:
            await stream.send(next(turn))
            in_flight += 1
        await stream.predict_ms()
        in_flight -= 1
        answered += 1
    elapsed_s, cpu_s = time.monotonic() - began_s, meters.cpu_s([worker.pid]) - began_cpu_s
    for _ in range(in_flight):
        await stream.predict_ms()
    return answered * count / elapsed_s, cpu_s / (answered * count) * 1e6


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _spread(seconds: Sequence[float]) -> Spread:
    return Spread(min=min(seconds), median=statistics.median(seconds), max=max(seconds))
