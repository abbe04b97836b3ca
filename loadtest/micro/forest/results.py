"""The results of the comparison of the two engines: report, document and aims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loadtest.measurement.aims import Aim
from loadtest.micro.forest.cases import TABLE
from loadtest.micro.forest.engines import LIGHTGBM, PACKED
from loadtest.micro.forest.memory import Memory
from loadtest.micro.forest.scoring import Cost, ScoreCheck
from loadtest.micro.forest.start import CANDIDATES, COLUMNS, Loading, Start
from loadtest.micro.report import cost_table, rounded
from loadtest.report import Report

ROWS_SHARE, TABLE_SHARE, MEMORY_SHARE, START_S = 0.5, 0.1, 1.0, 0.5
AIMED = {
    "1 row, another model each time": (PACKED, ROWS_SHARE),
    "16 rows": (PACKED, ROWS_SHARE),
    "256 rows": (PACKED, ROWS_SHARE),
    "100 candidates, 10 columns": (TABLE, TABLE_SHARE),
}


@dataclass(frozen=True, slots=True)
class Results:
    """All measurements; `start` is a start with the engine, `start_lightgbm` the same start with LightGBM alone."""

    costs: Mapping[str, Cost]
    check: ScoreCheck
    loading: Loading
    start: Start
    start_lightgbm: Start
    memory: Memory


def report(results: Results, machine: str) -> Report:
    """CPU by case, start and memory, and the aims."""
    costs = {name: cost.us_a_row for name, cost in results.costs.items()}
    table = cost_table("CPU per row, us, on one core", "case", (PACKED, TABLE), LIGHTGBM, costs)
    return Report(document(results, machine), [table, _summary(results)], aims(results))


def aims(results: Results) -> list[Aim]:
    """The aims of the measured cases, of the memory and of the start."""
    return [
        *(
            Aim(f"CPU, {name}, times LightGBM's", results.costs[name].share(way), bound)
            for name, (way, bound) in AIMED.items()
            if name in results.costs
        ),
        Aim("memory of a process with one model, times LightGBM's", results.memory.share, MEMORY_SHARE),
        Aim("proof, load and warm-up, s", results.start.seconds, START_S),
    ]


def document(results: Results, machine: str) -> dict[str, Any]:
    """The content of `build/forest.json`."""
    return {
        "machine": machine,
        "cpu_us_a_row": {name: rounded(cost.us_a_row) for name, cost in results.costs.items()},
        "scores": {"compared": results.check.compared, "different": results.check.different},
        "loading": rounded(asdict(results.loading)),
        "start": rounded(asdict(results.start)),
        "start_with_lightgbm": rounded(asdict(results.start_lightgbm)),
        "memory": rounded(asdict(results.memory)),
    }


def _summary(results: Results) -> str:
    loading, start, lightgbm = results.loading, results.start, results.start_lightgbm
    memory, check = results.memory, results.check
    return (
        f"Scores compared with LightGBM: {check.compared:,}; different: {sum(check.different.values()):,}.\n"
        f"Making a table of {CANDIDATES} candidates with {COLUMNS} columns: {loading.table_us:.0f} us.\n"
        f"Loading a model (CPU): engine {loading.packed_ms:.1f} ms, LightGBM {loading.lightgbm_ms:.1f} ms.\n"
        f"Proof, load and warm-up: {start.seconds:.2f} s, {start.child_cpu_s:.2f} s of CPU in the child; "
        f"with LightGBM alone {lightgbm.seconds:.2f} s and {lightgbm.child_cpu_s:.2f} s.\n"
        f"Memory of a process with one model (PSS): engine {memory.packed_mb:.1f} MB, "
        f"LightGBM {memory.lightgbm_mb:.1f} MB."
    )
