"""Runs a `mesh` command to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from examples.dragonfall.failure import ExampleFailed


def run_mesh(words: Sequence[str], limit_s: float) -> str:
    """Runs `mesh WORDS` and returns its stdout; its stderr is shown to the user.

    Raises ExampleFailed when the command fails or takes longer than `limit_s`.
    """
    return _run(words, limit_s, subprocess.PIPE) or ""


def show_mesh(words: Sequence[str], limit_s: float) -> None:
    """Runs `mesh WORDS` and shows its output to the user. Raises as `run_mesh` does."""
    _run(words, limit_s, None)


def _run(words: Sequence[str], limit_s: float, stdout: int | None) -> str | None:
    command = [sys.executable, "-m", "mesh.cli.main", *words]
    name = f"`mesh {' '.join(words)}`"
    try:
        done = subprocess.run(command, stdout=stdout, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise ExampleFailed(f"{name} did not end within {limit_s:g} s") from None
    if done.returncode != 0:
        raise ExampleFailed(f"{name} ended with exit code {done.returncode}; see its messages above")
    return done.stdout
