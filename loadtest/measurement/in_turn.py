"""Meshes that are up at the same time and measured in turn, so that a change of the machine meets all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path

from loadtest.measurement import meters
from loadtest.measurement.comparison import Comparison
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Point, Span, closed_loop, open_loop, seed_of
from loadtest.peers import mesh
from loadtest.peers.system import System
from loadtest.workloads import TrainedEnsemble

WARM_UP_S = 1.0
SETTLE_S = 5.0  # after the start; the workers still end their proving processes


@contextlib.asynccontextmanager
async def meshes_up(
    ensemble: TrainedEnsemble,
    folder: Path,
    plan: Plan,
    catalogs: Mapping[str, str],
    label: str = "",
    *,
    replicas: int = 1,
    with_tls: Collection[str] = (),
    options: Mapping[str, Sequence[str]] = {},
) -> AsyncIterator[dict[str, System]]:
    """Yields a mesh for each of `catalogs`, files in `folder` by name, once all have answered with all models.

    `label` stands before the names in the progress. The meshes `with_tls` use TLS on every connection.
    `options` are more options of `mesh up`, by name.
    """
    async with contextlib.AsyncExitStack() as stack:
        systems = {}
        for name, file in catalogs.items():
            plan.progress(f"{label}{name}: starting")
            systems[name] = await stack.enter_async_context(
                _up(ensemble, folder, plan, file, replicas, name in with_tls, options.get(name, ()))
            )
        await asyncio.sleep(SETTLE_S)
        yield systems


async def measure_round(
    systems: Mapping[str, System],
    ensemble: TrainedEnsemble,
    callers: int,
    number: int,
    seconds: float,
    plan: Plan,
    label: str = "",
    rate_rps: float | None = None,
) -> dict[str, Point]:
    """Measures each system once, in the other order in each second round; `number` is that of the round.

    With `rate_rps`, requests arrive at that rate, at the same times for each system, and `callers` is not used.
    """
    points = {}
    for name in [*systems][:: 1 if number % 2 else -1]:
        span, seed = Span(WARM_UP_S, seconds), seed_of(rate_rps or callers, number)
        if rate_rps is None:
            points[name] = await closed_loop(systems[name], ensemble, callers, seed, span, plan.logs)
        else:
            points[name] = await open_loop(systems[name], ensemble, rate_rps, seed, span, plan.logs)
        plan.report(f"{label}{name}", points[name])
    return points


async def measure_loads(
    systems: Mapping[str, System],
    ensemble: TrainedEnsemble,
    callers: Sequence[int],
    rate_rps: float | None,
    seconds: float,
    plan: Plan,
) -> AsyncIterator[Comparison]:
    """Measures the systems in turn with each number of `callers`, or at `rate_rps` if it is given."""
    loads = [(count, f"{count} callers") for count in callers] if rate_rps is None else [(0, f"{rate_rps:g}/s")]
    for count, load in loads:
        await plan.begin(f"{ensemble.game}, {load}")
        points = await measure_rounds(systems, ensemble, count, seconds, plan, rate_rps=rate_rps)
        yield Comparison(ensemble.game, load, points)


async def measure_rounds(
    systems: Mapping[str, System],
    ensemble: TrainedEnsemble,
    callers: int,
    seconds: float,
    plan: Plan,
    label: str = "",
    rate_rps: float | None = None,
) -> dict[str, tuple[Point, ...]]:
    """Measures each system in all rounds of `plan`; returns its points, round by round."""
    rounds = [
        await measure_round(systems, ensemble, callers, number, seconds, plan, label, rate_rps)
        for number in range(plan.rounds)
    ]
    return {name: tuple(one[name] for one in rounds) for name in systems}


@contextlib.asynccontextmanager
async def _up(
    ensemble: TrainedEnsemble,
    folder: Path,
    plan: Plan,
    catalog: str,
    replicas: int,
    tls: bool,
    options: Sequence[str],
) -> AsyncIterator[System]:
    async with mesh.up(folder, plan.logs, replicas=replicas, catalog=catalog, tls=tls, options=options) as ready:
        security = mesh.security_of(ready)
        await mesh.first_full_answer(ready["address"], ensemble, security)
        supervisor = ready["supervisor"]["pid"]
        parts = {
            "supervisor": (supervisor,),
            "writer": meters.children(supervisor),  # of a decision log, if the catalog has one
            "workers": tuple(worker["pid"] for worker in ready["workers"]),
        }
        yield System("grpc", ready["address"], parts, 0.0, ready["metrics"], security)
