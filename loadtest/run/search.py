"""The search for the knee of a running mesh, and the arrivals of every run."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable

import numpy as np

from loadtest.errors import CannotMeasure
from loadtest.generators import arrivals
from loadtest.measurement import machine
from loadtest.run import report
from loadtest.run.knee import Step, find_knee
from loadtest.run.measurement import Setting, measure
from loadtest.run.summary import Summary
from loadtest.simulated.service_times import Seconds

KNEE_SECONDS = 5.0
MAX_REQUESTS = 1_000_000


async def search_knee(
    options: argparse.Namespace, setting: Setting, progress: Callable[[str], None]
) -> tuple[Summary, list[Step]]:
    """Searches for the knee; returns the summary at the highest held rate, and every step.

    Without a held rate, the summary is that of the last step.
    """
    summaries: dict[float, Summary] = {}
    loop, seconds = asyncio.get_running_loop(), options.seconds or KNEE_SECONDS

    def try_rate(rate_rps: float) -> Step:
        offsets_s = arrivals_at(options, rate_rps, seconds)
        others = asyncio.run_coroutine_threadsafe(machine.others_share(), loop).result()
        running = asyncio.run_coroutine_threadsafe(measure(setting, offsets_s, seconds, progress), loop)
        summaries[rate_rps] = summary = running.result()
        is_limit = bool(list(report.doubts(summary)))
        full = summary.share("full")
        is_held = report.is_held(summary) and summary.p99_ms <= options.slo_ms and full >= options.full_share
        step = Step(rate_rps, summary.p99_ms, full, is_held, is_limit and not is_held, others)
        progress(f"{rate_rps:,.0f} per second: p99 {summary.p99_ms:.1f} ms, {full:.1%} full{_noise(step)}")
        return step

    # The search is synchronous code on a thread, so that tests can run it without a mesh.
    steps = await asyncio.to_thread(find_knee, options.rate, try_rate)
    best = max((step for step in steps if step.is_held), key=lambda step: step.rate_rps, default=steps[-1])
    return summaries[best.rate_rps], steps


def _noise(step: Step) -> str:
    return f"; other programs used {step.others:.0%} of the machine's CPU before it" if step.is_starved else ""


def arrivals_at(options: argparse.Namespace, rate_rps: float, seconds: float) -> Seconds:
    """At least one arrival at `rate_rps`; raises CannotMeasure if there are more than `MAX_REQUESTS`."""
    if rate_rps * seconds > MAX_REQUESTS:
        reason = f"{rate_rps:g} per second for {seconds:g} s are more than the maximum of {MAX_REQUESTS:,} requests"
        raise CannotMeasure(f"{reason}; lower --rate or --seconds")
    if options.arrivals == "constant":
        return arrivals.constant(rate_rps, seconds)
    offsets_s = arrivals.poisson(rate_rps, seconds, options.seed)
    return offsets_s if len(offsets_s) else np.zeros(1)
