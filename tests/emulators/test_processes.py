"""The starter of server processes reports a server that does not start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from emulators import processes
from emulators.processes import running


def test_process_that_ends_early_is_reported_with_its_exit_code_and_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no table')"]
    with (
        pytest.raises(AssertionError, match=r"server ended with exit code 1(.|\n)*no table"),
        running("server", command, tmp_path / "log", lambda: None),
    ):
        raise AssertionError("the process never becomes ready")


def test_process_that_does_not_become_ready_is_ended_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_S", 0.1)
    with (
        pytest.raises(AssertionError, match=r"server was not ready within 0\.1 s"),
        running("server", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log", lambda: None),
    ):
        raise AssertionError("the process never becomes ready")
