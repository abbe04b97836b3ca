"""Copies of the project to build from, each in a place of its own, and the C compiler where there is one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = ("mesh", "autoscaling", "supervisor", "model_worker", "loadtest")
ENGINE_SOURCES = {str(path.relative_to(PROJECT)) for path in PROJECT.glob("model_worker/forest/engine/*.[ch]")}
NO_COMPILER = {"CC": "no-such-compiler"}

needs_compiler = pytest.mark.skipif(
    shutil.which(os.environ.get("CC", "cc")) is None, reason="there is no C compiler: no engine can be built"
)


def copy_project(place: Path) -> Path:
    """What is built from, less what a build has left in the checkout."""
    leave_out = shutil.ignore_patterns("__pycache__", "_engine*")
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, place / package, ignore=leave_out)
    for name in ("pyproject.toml", "README.md", "LICENSE", "k8s/images/install.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, place / name)
    return place
