"""Copies of the project to build from, each in its own folder, and a marker for tests that need a C compiler."""

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
    shutil.which(os.environ.get("CC", "cc")) is None, reason="no C compiler: the engine cannot be built"
)


def copy_project(place: Path) -> Path:
    """Copies the sources of a build to `place`, without the build output of the checkout; returns `place`."""
    leave_out = shutil.ignore_patterns("__pycache__", "_engine*")
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, place / package, ignore=leave_out)
    for name in ("pyproject.toml", "README.md", "LICENSE", "k8s/images/install.py"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, place / name)
    return place
