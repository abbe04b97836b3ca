"""The table of a micro-benchmark: the cost of each case in every way, and its ratio to a reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from loadtest.measurement.latency import ratio


def cost_table(
    title: str, subject: str, ways: Sequence[str], reference: str, costs: Mapping[str, Mapping[str, float]]
) -> Table:
    """One row per case of `costs` by way; a case may lack some of the other `ways`, but not the `reference`."""
    table = Table(title=title)
    table.add_column(subject)
    table.add_column(reference, justify="right")
    for way in ways:
        table.add_column(way, justify="right")
        table.add_column("ratio", justify="right")
    for case, by_way in costs.items():
        cells = [cell for way in ways for cell in _cells(by_way, way, reference)]
        table.add_row(case, f"{by_way[reference]:,.2f}", *cells)
    return table


def rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    """The numbers with three decimal places, for a JSON document."""
    return {key: round(value, 3) for key, value in numbers.items()}


def _cells(by_way: Mapping[str, float], way: str, reference: str) -> tuple[str, str]:
    if way not in by_way:
        return "", ""
    return f"{by_way[way]:,.2f}", f"{ratio(by_way[way], by_way[reference]):.3f}"
