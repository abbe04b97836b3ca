"""How a benchmark is run: how often, how long, where its files are, and whom it tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadtest import machine
from loadtest.measuring import Point


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
