"""Aims: measured numbers with the bounds that they must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Aim:
    """A measured number and its bound: at most `bound`, or at least `bound` with `at_least`."""

    text: str
    measured: float
    bound: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the number keeps the bound."""
        return self.measured >= self.bound if self.at_least else self.measured <= self.bound


def aims_table(aims: Sequence[Aim]) -> Table:
    """One row per aim: the number, the bound, and whether the aim is met."""
    table = Table(title="Aims")
    for column in ("aim", "measured", "bound", ""):
        table.add_column(column, justify="left" if column == "aim" else "right")
    for aim in aims:
        bound = f"{'≥' if aim.at_least else '≤'} {aim.bound:g}"
        verdict = Text("met", "green") if aim.met else Text("missed", "red")
        table.add_row(aim.text, f"{aim.measured:.2f}", bound, verdict)
    return table
