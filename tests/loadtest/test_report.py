from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import pytest

from loadtest.measurement.aims import Aim
from loadtest.replica_faults.trial import Trial
from loadtest.report import Report, as_json, publish


def test_counts_inside_of_dataclasses_stay_counts() -> None:
    trial = Trial(3, Counter(["full", "full", "partial"]), 1.0, 2.0, None, 0.5, 0.0)
    assert json.loads(as_json({"frozen": trial}))["frozen"] == {
        "answers": 3,
        "classes": {"full": 2, "partial": 1},
        "control_p99_ms": 1.0,
        "p99_ms": 2.0,
        "out_s": None,
        "back_s": 0.5,
        "second_tries": 0.0,
        "stuck_s": None,
    }


def test_table_of_aims_is_printed_only_if_there_are_aims(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = argparse.Namespace(out=tmp_path / "report.json", json=False)
    publish(Report({}, ["a table"]), options)
    assert capsys.readouterr().out == "a table\n"
    publish(Report({}, [], [Aim("answers", 1, 2)]), options)
    assert "Aims" in capsys.readouterr().out
