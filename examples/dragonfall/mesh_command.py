"""Runs the `mesh` command as an operator would, to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from examples.dragonfall.failure import ExampleFailed


def run_mesh(words: Sequence[str], limit_s: float) -> str:
    """Its stdout; progress and errors go to our stderr. Raises ExampleFailed when it fails or takes too long."""
    command = [sys.executable, "-m", "mesh.cli.main", *words]
    told = f"`mesh {' '.join(words)}`"
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise ExampleFailed(f"{told} was not done after {limit_s:.0f} s") from None
    if done.returncode != 0:
        raise ExampleFailed(f"{told} ended with exit code {done.returncode}, see above")
    return done.stdout
