"""Compiles the sources of the engine into test programs and test libraries."""

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
    """Compiles `sources` to `target` with the headers of the engine; skips the test if there is no compiler."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("there is no C compiler")
    command = [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", *flags, f"-I{ENGINE}"]
    done = subprocess.run([*command, *sources, "-o", target, "-lm"], capture_output=True, text=True, check=False)
    if "cannot find" in done.stderr:
        pytest.skip(f"the compiler lacks a library: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return target


def engine_sources() -> list[Path]:
    """Returns the C files of the engine."""
    return sorted(ENGINE.glob("*.c"))
