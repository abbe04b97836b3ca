"""Driving a system with a generator process, and reading its meters as the measured time begins and ends."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

from loadtest.faults import CannotMeasure
from loadtest.generators.callers import FULL_ANSWER, Target
from loadtest.latency import Level, level_of, percentiles
from mesh.process import Event, Launch, running

SLACK_S = 60.0  # for the generator to start, and for the last answers to come

Reading = TypeVar("Reading")
Options = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Drive:
    """What a generator does: `options` go to `python -m loadtest.generators`, dashes for underscores."""

    loop: str  # closed or open
    warm_up_s: float
    seconds: float
    target: Target
    options: Options

    def launch(self, logs: Path) -> Launch:
        """The generator process."""
        options = {"warm_up_s": self.warm_up_s, "seconds": self.seconds, **asdict(self.target), **self.options}
        pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items()]
        words = [word for pair in pairs for word in pair]
        command = [sys.executable, "-m", "loadtest.generators", self.loop, *words]
        return Launch("generator", command, logs, logs / "generator.log")


@dataclass(frozen=True, slots=True)
class Driven(Generic[Reading]):
    """What the generator saw; `degraded` counts the answers that were not full ones, by what they were.

    `slip_p99_ms` tells how late requests left after they were due (open loop; else 0).
    """

    level: Level
    answers: int
    degraded: Mapping[str, int]
    slip_p99_ms: float
    before: Reading
    after: Reading


async def drive(plan: Drive, meter: Callable[[], Awaitable[Reading]], logs: Path) -> Driven[Reading]:
    """Runs a generator to its end. Raises CannotMeasure when it fails or not one answer came."""
    async with running(plan.launch(logs)) as generator:
        await generator.event("measuring", SLACK_S + plan.warm_up_s)
        before = await meter()
        await generator.event("measured", SLACK_S + plan.seconds)
        after = await meter()  # now: the last calls' way home belongs to no answer that counts
        seen = await generator.event("done", SLACK_S)
    return _driven(seen, plan, before, after)


async def no_meter() -> None:
    """For a system of which only the answers count."""


def _driven(seen: Event, plan: Drive, before: Reading, after: Reading) -> Driven[Reading]:
    latencies_ms = seen["latencies_ms"]
    if not latencies_ms:
        raise CannotMeasure(f"not one answer within {plan.seconds:g} s from {plan.target.address}")
    return Driven(
        level=level_of(latencies_ms, plan.seconds),
        answers=len(latencies_ms),
        degraded={source: count for source, count in seen["sources"].items() if source != FULL_ANSWER},
        slip_p99_ms=percentiles(seen["slips_ms"] or [0.0], 99)[0],
        before=before,
        after=after,
    )
