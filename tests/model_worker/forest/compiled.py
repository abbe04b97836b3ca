"""Compiles the engine's sources into something else than the worker's library."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import model_worker.forest

ENGINE = Path(model_worker.forest.__file__).with_name("engine")
HARNESS = Path(__file__).with_name("harness")
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def compiled(target: Path, sources: Sequence[Path], *flags: str) -> Path:
    """`target`, made of `sources` and the engine's header; skips the test where that cannot be."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler is here")
    command = [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", *flags, f"-I{ENGINE}"]
    done = subprocess.run([*command, *sources, "-o", target, "-lm"], capture_output=True, text=True, check=False)
    if "cannot find" in done.stderr:
        pytest.skip(f"the compiler lacks a library: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return target


def engine_sources() -> list[Path]:
    """The C files of the engine."""
    return sorted(ENGINE.glob("*.c"))
