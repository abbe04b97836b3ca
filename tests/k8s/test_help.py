"""`--help` of a program that writes files prints the help and writes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    "k8s.render",
    "k8s.values",
    "k8s.monitoring.dashboards",
    "examples.dragonfall.build",
    "examples.evening.build",
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_printed_and_no_file_is_touched(program: str) -> None:
    watched = [
        path for folder in ("k8s/rendered", "k8s/chart", "k8s/monitoring") for path in (ROOT / folder).rglob("*")
    ]
    before = {path: path.stat().st_mtime_ns for path in watched if path.is_file()}
    command = [sys.executable, "-m", program, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stdout.startswith("usage: "), done.stderr) == (0, True, "")
    assert {path: path.stat().st_mtime_ns for path in before} == before
