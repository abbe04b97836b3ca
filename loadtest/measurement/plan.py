"""The plan of a benchmark: rounds, durations, folders, and the receivers of progress, faults and doubts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from loadtest.measurement import machine
from loadtest.measurement.point import Point

MEASURED, FAULTY = 0, 1


@dataclass(frozen=True, slots=True)
class Findings:
    """Remarks on the results: `faults` are wrong or missing answers, `doubts` are reasons to distrust the figures."""

    faults: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def print(self, stderr: Console) -> int:
        """Prints a line for each; returns the exit code: 1 if there are faults, else 0."""
        for kind, lines in (("doubtful", self.doubts), ("fault", self.faults)):
            for line in lines:
                stderr.print(f"{kind}: {line}", style="red", markup=False, soft_wrap=True)
        return FAULTY if self.faults else MEASURED


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` is the duration of one measurement; None: the default of each workload.

    `folder` keeps files for later runs. `fault` receives wrong answers, `doubt` reasons to distrust the figures.
    `observe_s` is how long `begin` observes the load of the machine.
    """

    rounds: int
    seconds: float | None
    folder: Path
    progress: Callable[[str], None]
    fault: Callable[[str], None]
    doubt: Callable[[str], None]
    observe_s: float = machine.OBSERVE_S

    @property
    def logs(self) -> Path:
        """The folder for the stderr of every process."""
        return self.folder / "logs"

    async def begin(self, step: str) -> None:
        """Reports the start of a round, and a doubt if other programs use the machine."""
        self.progress(step)
        busy = await machine.busy_share(self.observe_s)
        if busy > machine.QUIET_SHARE:
            self.doubt(f"{step}: other programs used {busy:.0%} of the CPU at the start")

    def report(self, step: str, point: Point) -> None:
        """Reports a measurement, and a fault if some answers were not full."""
        level = point.level
        self.progress(f"  {step}: {level.rps:,.0f} rps, p50 {level.p50_ms:.1f} ms, p95 {level.p95_ms:.1f} ms")
        if point.degraded:
            counts = ", ".join(f"{count} {source}" for source, count in point.degraded.items())
            self.fault(f"{step}: not full, of {point.answers} answers: {counts}")


def plan_of(options: argparse.Namespace, stderr: Console, findings: Findings) -> Plan:
    """The plan of a command line: its --rounds, --seconds and --folder, in which the folder of the logs is made."""
    plan = Plan(
        rounds=options.rounds,
        seconds=options.seconds,
        folder=options.folder.absolute(),
        progress=lambda line: stderr.print(line, markup=False),
        fault=findings.faults.append,
        doubt=findings.doubts.append,
    )
    plan.logs.mkdir(parents=True, exist_ok=True)
    return plan
