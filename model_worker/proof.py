"""Tries a model in a child process, because a damaged file can crash or hang LightGBM, or eat all memory.

There, too, our own engine has to give LightGBM's scores for thousands of rows before it may serve the model.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import BinaryIO

from mesh.model_file import BadModel
from model_worker.trial import PROOF_FAILED, SOUND

_SCRIPT = __file__.replace("proof.py", "trial.py")
_SOUND = f"{SOUND}\n".encode()


def trial_command(library: str, memory_mb: int, seconds: float, engine: str | None = None) -> list[str]:
    """The child that tries a model: `seconds` of CPU time, `memory_mb` of address space, its model on stdin."""
    # Isolated and without site: neither the environment nor site-packages is the child's business.
    command = [sys.executable, "-I", "-S", _SCRIPT, library, str(memory_mb), str(seconds)]
    return [*command, engine] if engine else command


class Proof:
    """A child that is trying a model; started at construction, so that it runs while the parent imports."""

    def __init__(self, model: BinaryIO, command: Sequence[str], seconds: float) -> None:
        model.seek(0)
        self._seconds = seconds
        self._child = subprocess.Popen(command, stdin=model, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={})

    def wait(self) -> str | None:
        """Why the engine must not serve the model, None when it may; raises `BadModel` when nothing should."""
        output, is_late = self._output()
        is_sound, said = output.startswith(_SOUND), output.removeprefix(_SOUND).decode(errors="replace").strip()
        late = f"had no result after {self._seconds:g} s (--proof-s)"
        if not is_sound:
            raise BadModel(f"the trial run {late}" if is_late else _fault(self._child.returncode, said))
        return f"{PROOF_FAILED}: it {late}" if is_late else _objection(self._child.returncode, said)

    def _output(self) -> tuple[bytes, bool]:
        """What the child said, and whether it had to be ended."""
        try:
            return self._child.communicate(timeout=self._seconds)[0], False
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.communicate()[0], True


def _fault(returncode: int, output: str) -> str:
    """What is wrong with a model that was not found sound."""
    if returncode >= 0:
        return output or "the trial run failed: it may need more than --proof-memory-mb"
    if returncode == -signal.SIGXCPU:
        return "the trial run used all the CPU time of --proof-s: the file is damaged, or the time too short"
    return f"LightGBM crashed on it in the trial run ({signal.Signals(-returncode).name}): the file is damaged"


def _objection(returncode: int, output: str) -> str | None:
    """What speaks against the engine, for a model that was found sound."""
    if returncode == 0:
        return output or None
    if returncode == -signal.SIGXCPU:
        return f"{PROOF_FAILED}: it used all the CPU time of --proof-s"
    how = f"crashed ({signal.Signals(-returncode).name})" if returncode < 0 else "broke"
    return f"{PROOF_FAILED}: it {how}"
