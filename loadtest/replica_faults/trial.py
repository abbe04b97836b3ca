"""One trial: steady load, a fault of one replica in the middle of it, and its end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.generators import arrivals
from loadtest.measurement.latency import percentiles
from loadtest.replica_faults.faults import Fault
from loadtest.run.answers import Answer, class_of
from loadtest.run.measurement import HEAD_START_S, Setting, ask_all
from mesh.cli.metrics_page import Page, fetch
from mesh.errors import Unavailable

CONTROL_S, AFTER_S = 10.0, 5.0
LOOK_EVERY_S = 0.02
LOOK_S = 5.0  # a change of the rotation that takes longer is reported as None


@dataclass(frozen=True, slots=True)
class Suspect:
    """The replica with the fault: its model, its process id, and the address of its metrics page, `own_metrics`.

    `metrics` is the address of the supervisor's page.
    """

    model: str
    pid: int
    metrics: str
    own_metrics: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The answers during a fault. `control_p99_ms` is from before it.

    `out_s` and `back_s` are the times until the replica was out of rotation after the start of the fault, and in it
    again after its end; None if this did not happen. `stuck_s` is the time until a request was stuck in the replica:
    until its metrics page showed one in two looks in a row, or did not answer any more; None if this was not seen.
    Before it, the fault has no effect: the event loop of a worker scores small requests itself. `second_tries` is the
    share of all the model's rows.
    """

    answers: int
    classes: Counter[str]
    control_p99_ms: float
    p99_ms: float
    out_s: float | None
    back_s: float | None
    second_tries: float
    stuck_s: float | None = None


async def try_fault(fault: Fault, suspect: Suspect, setting: Setting, rate_rps: float, fault_s: float) -> Trial:
    """Sends requests at `rate_rps` while `suspect` has `fault` for `fault_s`."""
    seconds = CONTROL_S + fault_s + AFTER_S
    before = await _page(suspect)
    asking = asyncio.create_task(ask_all(setting, arrivals.poisson(rate_rps, seconds, setting.seed), seconds))
    await asyncio.sleep(HEAD_START_S + CONTROL_S)
    with fault(suspect.pid):
        began_s = time.monotonic()
        out_s, stuck_s = await asyncio.gather(
            _until(lambda page: not _is_in(page, suspect.model), suspect), _until_stuck(suspect.own_metrics)
        )
        await asyncio.sleep(max(0.0, began_s + fault_s - time.monotonic()))
    back_s = await _until(lambda page: _is_in(page, suspect.model), suspect)
    answers, _ = await asking
    faulty = [one for one in answers if CONTROL_S <= one.due_s < CONTROL_S + fault_s]
    return Trial(
        answers=len(faulty),
        classes=Counter(class_of(one, setting.question.deadline_ms, is_wrong=False) for one in faulty),
        control_p99_ms=_p99_ms([one for one in answers if one.due_s < CONTROL_S]),
        p99_ms=_p99_ms(faulty),
        out_s=out_s,
        back_s=back_s,
        second_tries=second_tries(before, await _page(suspect), suspect.model),
        stuck_s=stuck_s,
    )


def second_tries(before: Page, after: Page, model: str) -> float:
    """The rows that `model` got again, as a share of its rows, between two metrics pages."""
    name = "mesh_second_try_rows_total"
    again = after.total(name, model=model) - before.total(name, model=model)
    rows = after.total("mesh_cohort_rows_sum") - before.total("mesh_cohort_rows_sum")
    return again / rows if rows else 0.0


def _is_in(page: Page, model: str) -> bool:
    """Whether every replica of `model` is connected and in rotation."""
    waiting = page.total("mesh_lanes", model=model) - page.total("mesh_lanes", model=model, state="up")
    return not waiting and not page.total("mesh_lanes_out", model=model)


async def _until(is_true: Callable[[Page], bool], suspect: Suspect) -> float | None:
    """The time until `is_true` of the metrics page; None after `LOOK_S`."""
    began_s = time.monotonic()
    while not is_true(await _page(suspect)):
        if time.monotonic() - began_s > LOOK_S:
            return None
        await asyncio.sleep(LOOK_EVERY_S)
    return time.monotonic() - began_s


async def _until_stuck(metrics: str) -> float | None:
    began_s, shown_s = time.monotonic(), None
    while (now_s := time.monotonic() - began_s) < LOOK_S:
        try:
            waiting = (await asyncio.to_thread(fetch, metrics)).total("mesh_worker_in_flight")
        except Unavailable:
            return now_s
        if waiting and shown_s is not None:
            return shown_s
        shown_s = now_s if waiting else None
        await asyncio.sleep(LOOK_EVERY_S)
    return None


async def _page(suspect: Suspect) -> Page:
    return await asyncio.to_thread(fetch, suspect.metrics)


def _p99_ms(answers: Sequence[Answer]) -> float:
    (p99_ms,) = percentiles([answer.latency_ms for answer in answers], 99)
    return p99_ms
