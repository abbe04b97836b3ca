"""The tables of the two engines side by side, their document, and the aims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.bench.aims import Aim
from loadtest.bench.report import print_aims
from loadtest.forest.cases import TABLE
from loadtest.forest.engines import LIGHTGBM, PACKED
from loadtest.forest.memory import Memory
from loadtest.forest.scoring import Comparison, Cost
from loadtest.forest.starting import CANDIDATES, COLUMNS, Loading, Start

ROWS_SHARE, TABLE_SHARE, MEMORY_SHARE, START_S = 0.5, 0.1, 1.0, 0.5
AIMED = {
    "1 row, another model each time": (PACKED, ROWS_SHARE),
    "16 rows": (PACKED, ROWS_SHARE),
    "256 rows": (PACKED, ROWS_SHARE),
    "100 candidates, 10 columns": (TABLE, TABLE_SHARE),
}


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was measured; `start` with the engine, `trial` the same start with LightGBM alone."""

    costs: Mapping[str, Cost]
    comparison: Comparison
    loading: Loading
    start: Start
    trial: Start
    memory: Memory


def print_findings(console: Console, found: Findings) -> None:
    """CPU by case, start and memory, then whether each aim is met."""
    console.print(_costs_table(found.costs))
    console.print(
        f"{found.comparison.compared:,} scores were held against LightGBM's, "
        f"{sum(found.comparison.different.values()):,} differ.\n{_starts(found)}",
        highlight=False,
    )
    print_aims(console, aims(found))


def aims(found: Findings) -> list[Aim]:
    """The aims of those cases that were measured, and those of memory and start."""
    return [
        *(
            Aim(f"CPU, {name}, times LightGBM's", found.costs[name].share(way), bound)
            for name, (way, bound) in AIMED.items()
            if name in found.costs
        ),
        Aim("memory of a process with one model, times LightGBM's", found.memory.share, MEMORY_SHARE),
        Aim("proof, load and warm-up, s", found.start.seconds, START_S),
    ]


def document(found: Findings, machine: str) -> dict[str, Any]:
    """What `build/forest.json` says."""
    return {
        "machine": machine,
        "cpu_us_a_row": {name: _rounded(cost.us_a_row) for name, cost in found.costs.items()},
        "scores": {"compared": found.comparison.compared, "different": found.comparison.different},
        "loading": _rounded(asdict(found.loading)),
        "start": _rounded(asdict(found.start)),
        "start_with_lightgbm": _rounded(asdict(found.trial)),
        "memory": _rounded(asdict(found.memory)),
    }


def _costs_table(costs: Mapping[str, Cost]) -> Table:
    table = Table(title="CPU of a row, us, on one core")
    for column in ("what is asked", LIGHTGBM, PACKED, "ratio", TABLE, "ratio"):
        table.add_column(column, justify="left" if column == "what is asked" else "right")
    for name, cost in costs.items():
        cells = [cell for way in (PACKED, TABLE) if way in cost.us_a_row for cell in _against(cost, way)]
        table.add_row(name, f"{cost.us_a_row[LIGHTGBM]:.2f}", *cells)
    return table


def _against(cost: Cost, way: str) -> tuple[str, str]:
    return f"{cost.us_a_row[way]:.2f}", f"{cost.share(way):.3f}"


def _starts(found: Findings) -> str:
    loading, start, trial, memory = found.loading, found.start, found.trial, found.memory
    return (
        f"A table of {CANDIDATES} candidates with {COLUMNS} columns takes {loading.table_us:.0f} us; packing a model "
        f"{loading.packed_ms:.1f} ms, loading it by LightGBM {loading.lightgbm_ms:.1f} ms (CPU).\n"
        f"Proof, load and warm-up take {start.seconds:.2f} s, {start.child_cpu_s:.2f} s of CPU in the child; "
        f"with LightGBM alone {trial.seconds:.2f} s and {trial.child_cpu_s:.2f} s.\n"
        f"A process with one model holds {memory.packed_mb:.1f} MB (PSS), with LightGBM {memory.lightgbm_mb:.1f} MB."
    )


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, 3) for key, value in numbers.items()}
