from __future__ import annotations

import argparse

import pytest

from loadtest.bench.command import add_options


def _parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


def test_a_benchmark_runs_both_workloads_unless_told_otherwise() -> None:
    assert (_parsed().only, _parsed().rounds, _parsed().seconds) == (None, 3, None)
    assert (_parsed().engine, _parsed("--engine", "lightgbm").engine) == (None, "lightgbm")
    assert _parsed("--only", "s15", "--rounds", "1", "--seconds", "0.5").seconds == 0.5


@pytest.mark.parametrize(
    "words",
    [
        ["--rounds", "0"],
        ["--rounds", "1.5"],
        ["--seconds", "-1"],
        ["--seconds", "nan"],
        ["--only", "w16"],
        ["--engine", "xgboost"],
    ],
    ids=" ".join,
)
def test_a_value_that_makes_no_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        _parsed(*words)
    assert refusal.value.code == 2
    assert words[0] in capsys.readouterr().err
