"""Tries a model in a child process, because a damaged file can crash or hang LightGBM, or eat all memory."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import BinaryIO

from mesh.model_file import BadModel

_SCRIPT = __file__.replace("proof.py", "trial.py")


def trial_command(library: str, memory_mb: int, seconds: float) -> list[str]:
    """The child that tries a model: `seconds` of CPU time, `memory_mb` of address space, its model on stdin."""
    # Isolated and without site: neither the environment nor site-packages is the child's business.
    return [sys.executable, "-I", "-S", _SCRIPT, library, str(memory_mb), str(seconds)]


class Proof:
    """A child that is trying a model; started at construction, so that it runs while the parent imports."""

    def __init__(self, model: BinaryIO, command: Sequence[str], seconds: float) -> None:
        model.seek(0)
        self._seconds = seconds
        self._child = subprocess.Popen(command, stdin=model, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={})

    def wait(self) -> None:
        """Returns when the model has passed; raises `BadModel` with the reason when it has not."""
        try:
            output, _ = self._child.communicate(timeout=self._seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.communicate()
            raise BadModel(f"the trial run had no result after {self._seconds:g} s (--proof-s)") from None
        if fault := _fault(self._child.returncode, output.decode(errors="replace").strip()):
            raise BadModel(fault)


def _fault(returncode: int, output: str) -> str | None:
    if returncode == 0:
        return None
    if returncode > 0:
        return output or "the trial run failed: it may need more than --proof-memory-mb"
    if returncode == -signal.SIGXCPU:
        return "the trial run used all the CPU time of --proof-s: the file is damaged, or the time too short"
    return f"LightGBM crashed on it in the trial run ({signal.Signals(-returncode).name}): the file is damaged"
