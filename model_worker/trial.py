"""The child process of the proof: checks the structure of a model, loads it and predicts, within hard limits.

Run as `python -I -S trial.py LIBRARY MEMORY_MB SECONDS ENGINE SHA256 <MODEL`. If the model has a fault, it prints the
fault as a sentence and exits with code 1. Otherwise it prints `SOUND`, and with an ENGINE a second line: the reason why
the engine must not serve the model, or an empty line. ENGINE and SHA256 may be empty.
"""

import math
import resource
import struct
import sys

SOUND, PROOF_FAILED = "sound", "the proof failed"
_EXIT_FAULT = 1

if __name__ == "__main__":
    # The isolated interpreter finds only the standard library: this adds the program itself.
    sys.path.insert(0, __file__.rpartition("/model_worker/")[0])

from model_worker.child_process import end_with_parent  # noqa: E402
from model_worker.forest import Forest  # noqa: E402
from model_worker.forest.lightgbm_c import LightGbmError, LightGbmForest  # noqa: E402


class _UnsoundError(Exception):
    """A fault of the model, as a sentence."""


def main(library: str, memory_mb: int, seconds: float, engine: str, sha256: str) -> int:
    """Prints the result; returns the exit code."""
    _limit(memory_mb * 2**20, math.ceil(seconds))
    model = sys.stdin.buffer.read()
    try:
        _check_digest(model, sha256)
        forest = _try(library, model)
    except _UnsoundError as error:
        print(error)
        return _EXIT_FAULT
    print(SOUND, flush=True)
    if engine:
        print(_objection(engine, forest, model))
    return 0


def _limit(memory_bytes: int, cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    end_with_parent()


def _check_digest(model: bytes, sha256: str) -> None:
    if not sha256:
        return
    import hashlib

    if hashlib.sha256(model).hexdigest() != sha256:
        raise _UnsoundError("the file changed while the worker started")


def _try(library: str, model: bytes) -> Forest:
    from model_worker.structure import find_fault

    if fault := find_fault(model):
        raise _UnsoundError(fault)
    try:
        forest = LightGbmForest(library, model)
        for row in _trial_rows(forest.features):
            scores = struct.unpack(f"{forest.classes}d", forest.predict(row, 1))
            if not all(map(math.isfinite, scores)):
                raise _UnsoundError(f"its scores are not finite numbers: {scores}")
    except (LightGbmError, MemoryError) as error:
        raise _UnsoundError(f"LightGBM cannot load it: {error or 'out of memory'}") from error
    return forest


def _trial_rows(features: int) -> list[bytes]:
    return [struct.pack(f"{features}d", *[value] * features) for value in (0.0, math.nan)]


def _objection(engine: str, judge: Forest, model: bytes) -> str:
    from model_worker.forest.comparison import find_difference
    from model_worker.forest.packed import NotPackedError, PackedForest

    try:
        difference = find_difference(PackedForest(engine, model), judge, model)
    except NotPackedError as error:
        return str(error)
    except MemoryError:
        difference = "out of memory"
    return f"{PROOF_FAILED}: {difference}" if difference else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]))
