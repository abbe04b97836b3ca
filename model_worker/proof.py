"""Tries a model in a child process, because a damaged file can crash or hang LightGBM, or exhaust the memory.

The same child proves our own engine: it must give the scores of LightGBM for thousands of rows before it may serve.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import BinaryIO

from mesh.model_file import BadModel
from model_worker.child_process import read_output
from model_worker.trial import PROOF_FAILED, SOUND

_SCRIPT = __file__.replace("proof.py", "trial.py")
_SOUND = f"{SOUND}\n".encode()


def trial_command(
    library: str, memory_mb: int, seconds: float, engine: str | None = None, sha256: str | None = None
) -> list[str]:
    """Returns the command of the child. `seconds` limit its CPU time; it reads the model from stdin.

    The child refuses a model whose digest is not `sha256`, because a kept proof must be about these bytes.
    """
    # Isolated and without site: the child needs neither the environment nor site-packages.
    command = [sys.executable, "-I", "-S", _SCRIPT, library, str(memory_mb), str(seconds)]
    return [*command, engine or "", sha256 or ""]


class Proof:
    """A child process that tries a model. It starts at construction, so that it runs while the parent imports."""

    def __init__(self, model: BinaryIO, command: Sequence[str], seconds: float) -> None:
        model.seek(0)
        self._seconds = seconds
        self._child = subprocess.Popen(command, stdin=model, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={})

    def wait(self) -> str | None:
        """Returns the reason why our engine must not serve the model, or None; raises `BadModel` if nothing may."""
        output, is_late = read_output(self._child, self._seconds)
        is_sound, report = output.startswith(_SOUND), output.removeprefix(_SOUND).decode(errors="replace").strip()
        late = f"had no result after {self._seconds:g} s (--proof-s)"
        if not is_sound:
            raise BadModel(f"the trial run {late}" if is_late else _fault(self._child.returncode, report))
        return f"{PROOF_FAILED}: the engine {late}" if is_late else _objection(self._child.returncode, report)


def _fault(returncode: int, report: str) -> str:
    """The fault of a model that the child did not find sound."""
    if returncode >= 0:
        return report or "the trial run failed: it may need more than --proof-memory-mb"
    if returncode == -signal.SIGXCPU:
        return "the trial run used all the CPU time of --proof-s: the file is damaged, or the time is too short"
    return f"LightGBM crashed in the trial run ({signal.Signals(-returncode).name}): the file is damaged"


def _objection(returncode: int, report: str) -> str | None:
    """The reason against our engine, for a sound model."""
    if returncode == 0:
        return report or None
    if returncode == -signal.SIGXCPU:
        return f"{PROOF_FAILED}: the engine used all the CPU time of --proof-s"
    event = f"crashed ({signal.Signals(-returncode).name})" if returncode < 0 else "failed"
    return f"{PROOF_FAILED}: the engine {event}"
