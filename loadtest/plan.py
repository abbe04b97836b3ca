"""How a benchmark is run: how often, how long, where its files are, and whom it tells how far it is."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from loadtest import machine
from loadtest.measuring import Point


@dataclass(frozen=True, slots=True)
class Findings:
    """What a benchmark has to say beside its figures: `faults` of the answers, `doubts` about the figures."""

    faults: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def tell(self, said: Console) -> None:
        """A line for each."""
        for kind, lines in (("doubtful", self.doubts), ("fault", self.faults)):
            for line in lines:
                said.print(f"{kind}: {line}", style="red", markup=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """`seconds` of one measurement, None for each workload's own; `folder` keeps what later runs use again.

    `fault` hears of answers that were wrong, `doubt` of what may have spoilt the figures.
    """

    rounds: int
    seconds: float | None
    folder: Path
    progress: Callable[[str], None]
    fault: Callable[[str], None]
    doubt: Callable[[str], None]

    @property
    def logs(self) -> Path:
        """Where the stderr of every process goes."""
        return self.folder / "logs"

    async def begin(self, what: str) -> None:
        """One line on the round that begins, and a doubt when the machine has other things to do."""
        self.progress(what)
        busy = await machine.busy_share()
        if busy > machine.QUIET_SHARE:
            self.doubt(f"{what}: other programs kept the machine {busy:.0%} busy when it began")

    def tell(self, what: str, point: Point) -> None:
        """One line on a measurement, and one more when answers were not full ones."""
        level = point.level
        self.progress(f"  {what}: {level.rps:,.0f} rps, p50 {level.p50_ms:.1f} ms, p95 {level.p95_ms:.1f} ms")
        if point.degraded:
            counts = ", ".join(f"{count} {source}" for source, count in point.degraded.items())
            self.fault(f"{what}: of {point.answers} answers, not full: {counts}")


def plan_of(options: argparse.Namespace, said: Console, findings: Findings) -> Plan:
    """The plan that a command line asks for, by its --rounds, --seconds and --folder."""
    return Plan(
        rounds=options.rounds,
        seconds=options.seconds,
        folder=options.folder.absolute(),
        progress=lambda line: said.print(line, markup=False),
        fault=findings.faults.append,
        doubt=findings.doubts.append,
    )
