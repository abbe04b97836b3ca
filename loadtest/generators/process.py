"""Runs a generator process against a system, and reads meters at the start and at the end of the measured time."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

from loadtest.errors import CannotMeasure
from loadtest.generators.callers import FULL_ANSWER, Target
from loadtest.measurement.latency import Level, level_of, percentiles
from mesh.process import Event, Launch, running
from mesh.tls.channel import PLAINTEXT, ClientSecurity

SLACK_S = 60.0  # for the start of the generator, and for the last answers

Reading = TypeVar("Reading")
Options = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Load:
    """A load, as the command line of a generator; `options` have underscores instead of dashes."""

    loop: str  # closed or open
    warm_up_s: float
    seconds: float
    target: Target
    options: Options
    security: ClientSecurity = PLAINTEXT

    def launch(self, logs: Path) -> Launch:
        """How to start the generator process."""
        options = {"warm_up_s": self.warm_up_s, "seconds": self.seconds, **asdict(self.target), **self.options}
        pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in options.items()]
        words = [word for pair in pairs for word in pair]
        command = [sys.executable, "-m", "loadtest.generators", self.loop, *words]
        return Launch("generator", command, logs, logs / "generator.log", self.security.environment())


@dataclass(frozen=True, slots=True)
class LoadResult(Generic[Reading]):
    """The results of a generator; `degraded` counts the answers that were not full, by kind.

    `slip_p99_ms` is how late requests left after they were due (open loop; else 0).
    """

    level: Level
    answers: int
    degraded: Mapping[str, int]
    slip_p99_ms: float
    before: Reading
    after: Reading


async def generate(load: Load, meter: Callable[[], Awaitable[Reading]], logs: Path) -> LoadResult[Reading]:
    """Runs a generator to its end.

    Raises ProcessFailed when the generator fails, CannotMeasure when it received no answer.
    """
    async with running(load.launch(logs)) as generator:
        await generator.event("measuring", SLACK_S + load.warm_up_s)
        before = await meter()
        await generator.event("measured", SLACK_S + load.seconds)
        after = await meter()  # before `done`: the last answers arrive after the measured time and do not count
        done = await generator.event("done", SLACK_S)
    return _result(done, load, before, after)


async def no_meter() -> None:
    """The meter of a system whose CPU is not measured."""


def _result(done: Event, load: Load, before: Reading, after: Reading) -> LoadResult[Reading]:
    latencies_ms = done["latencies_ms"]
    if not latencies_ms:
        raise CannotMeasure(f"{load.target.address} sent no answer within {load.seconds:g} s")
    return LoadResult(
        level=level_of(latencies_ms, load.seconds),
        answers=len(latencies_ms),
        degraded={source: count for source, count in done["sources"].items() if source != FULL_ANSWER},
        slip_p99_ms=percentiles(done["slips_ms"] or [0.0], 99)[0],
        before=before,
        after=after,
    )
