"""The measurement of lanes to a stopped process: a small run, its limits and its options."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest

from loadtest.errors import CannotMeasure
from loadtest.lanes import command, trial

PROGRESS: list[str] = []


@pytest.mark.whole_machine  # real time limits
async def test_lanes_to_a_stopped_worker_go_down_and_come_up_again(tmp_path: Path) -> None:
    found = await trial.stall(20, 5.0, tmp_path, PROGRESS.append)
    assert found.before_mb > 0
    assert found.cpu_share > 0
    assert found.recovery_s > 0


@pytest.mark.whole_machine  # real time limits
async def test_run_whose_memory_grows_too_much_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MAX_GROWTH_MB", 0.0)
    with pytest.raises(CannotMeasure, match="grew by more than 0 MB"):
        await trial.stall(2, 600.0, tmp_path, PROGRESS.append)


async def test_more_lanes_than_files_may_be_open_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="ulimit -n"):
        await asyncio.wait_for(trial.stall(10**12, 600.0, tmp_path, PROGRESS.append), 20.0)


@pytest.mark.parametrize("seconds", ["9.9", "-1", "inf", "nan"])
def test_stop_that_keepalive_would_not_notice_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--seconds", seconds])
    assert "at least 10" in capsys.readouterr().err
