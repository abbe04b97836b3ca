"""The benchmark of the two scoring engines: cases, faults, aims, and the error without the engine."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from rich.table import Table

from loadtest import __main__ as program
from loadtest.measurement.plan import Plan
from loadtest.measurement.turns import in_turn
from loadtest.micro.forest import engines
from loadtest.micro.forest.cases import TABLE, Case
from loadtest.micro.forest.command import measure
from loadtest.micro.forest.engines import LIGHTGBM, PACKED
from loadtest.micro.forest.memory import Memory
from loadtest.micro.forest.results import AIMED, Results, aims, document, report
from loadtest.micro.forest.scoring import Cost, ScoreCheck, measure_scoring, pinned
from loadtest.micro.forest.start import Loading, Start
from loadtest.workload_files import train
from loadtest.workloads import Forests
from model_worker.forest.packed import PackedForest, find_engine

SMALL = Forests("small", 2, trees=5, leaves=8, features=24)
CATEGORICAL = replace(SMALL, name="categorical", codes=(5, 9))
RESULTS = Results(
    costs={
        "16 rows": Cost(16, {LIGHTGBM: 40.0, PACKED: 21.0}),
        "100 candidates, 10 columns": Cost(100, {LIGHTGBM: 40.0, PACKED: 8.0, TABLE: 4.0}),
    },
    check=ScoreCheck(100, {}),
    loading=Loading(50.0, 14.0, 22.0),
    start=Start(0.4, 0.3),
    start_lightgbm=Start(0.2, 0.1),
    memory=Memory(11.0, 10.0),
)


def quiet(folder: Path, faults: list[str]) -> Plan:
    return Plan(1, None, folder, lambda _: None, faults.append, lambda _: None)


needs_engine = pytest.mark.skipif(find_engine() is None, reason="the engine was not built")


@needs_engine
def test_every_case_is_measured_and_every_score_compared(tmp_path: Path) -> None:
    faults: list[str] = []
    found = measure(quiet(tmp_path, faults), engines.find_libraries(), SMALL, CATEGORICAL)

    assert faults == []
    assert all(cost > 0 for of in found.costs.values() for cost in of.us_a_row.values())
    assert found.costs.keys() >= AIMED.keys()
    assert found.check.compared > 100_000
    assert found.memory.packed_mb > 0 < found.start.child_cpu_s
    assert json.loads(json.dumps(document(found, "a machine")))["scores"]["different"] == {}


@needs_engine
def test_engine_with_different_scores_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackedForest, "predict", lambda _self, _rows, count: bytes(8 * count))
    faults: list[str] = []
    measure(quiet(tmp_path, faults), engines.find_libraries(), SMALL, CATEGORICAL)
    assert "16 rows (engine): 12032 scores differ from LightGBM's" in faults
    assert not any(TABLE in fault for fault in faults)


def test_score_that_differs_from_lightgbms_is_counted() -> None:
    right, wrong = struct.pack("2d", 0.0, 0.5), struct.pack("2d", -0.0, 0.5)
    case = Case("rows", 2, {LIGHTGBM: [lambda: right], PACKED: [lambda: wrong], TABLE: [lambda: right]})
    check = ScoreCheck()
    measure_scoring([case], 2, check, lambda _: None)
    assert (check.compared, check.different) == (12, {"rows (engine)": 3})


def test_every_way_has_every_position() -> None:
    orders = [in_turn("abc", number) for number in range(6)]
    assert all(sorted(order) == list("abc") for order in orders)
    assert {order[0] for order in orders} == {order[-1] for order in orders} == set("abc")


def test_process_is_pinned_to_one_core_until_the_block_ends() -> None:
    before = os.sched_getaffinity(0)
    with pinned() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before


def test_aims_are_ratios_to_lightgbm_and_candidates_use_the_table() -> None:
    assert [(aim.measured, aim.met) for aim in aims(RESULTS)] == [
        (0.525, False),
        (0.1, True),
        (1.1, False),
        (0.4, True),
    ]


def test_missing_engine_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "find_engine", lambda: None)
    monkeypatch.setattr("sys.argv", ["loadtest", "forest"])
    assert program.main() == 2
    assert capsys.readouterr().err.splitlines() == [
        "the scoring engine was not built; install a C compiler, then install the project again"
    ]


def test_last_columns_are_categorical_in_forests_with_codes(tmp_path: Path) -> None:
    train(CATEGORICAL, tmp_path, lambda _: None)
    infos = (tmp_path / "00.txt").read_text().partition("feature_infos=")[2].splitlines()[0].split()
    codes = [set(map(int, info.split(":"))) for info in infos[-2:]]
    assert [found - {-1} for found in codes] == [set(range(5)), set(range(9))]


def test_recipe_without_codes_is_equal_to_recipes_from_before_codes(tmp_path: Path) -> None:
    train(SMALL, tmp_path, lambda _: None)
    assert json.loads((tmp_path / "recipe.json").read_text()).keys() == {
        "recipe",
        "name",
        "count",
        "trees",
        "leaves",
        "features",
    }


def test_report_has_a_table_with_a_ratio_for_each_way() -> None:
    table, summary = report(RESULTS, "a machine").blocks
    assert isinstance(table, Table)
    cells = [list(column.cells) for column in table.columns]
    assert [column.header for column in table.columns] == ["case", "LightGBM", PACKED, "ratio", TABLE, "ratio"]
    assert cells[3:] == [["0.525", "0.200"], ["", "4.00"], ["", "0.100"]]
    assert "different: 0" in str(summary)
