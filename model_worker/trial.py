"""The child process of the proof: checks a model's structure, loads it and predicts, within hard limits.

Run as `python -I -S trial.py LIBRARY MEMORY_MB SECONDS <MODEL`: exit code 0, or a sentence on stdout.
"""

import ctypes
import math
import resource
import struct
import sys

_REFUSED = 1
_PR_SET_PDEATHSIG = 1
_SIGKILL = 9  # the module signal takes 6 ms to import, for enums


def main(library: str, memory_mb: int, seconds: float) -> int:
    """The exit code; a refusal's reason goes to stdout."""
    _limit(memory_mb * 2**20, math.ceil(seconds))
    fault = _find_fault(library, sys.stdin.buffer.read())
    if fault:
        print(fault)
    return _REFUSED if fault else 0


def _limit(memory_bytes: int, cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _find_fault(library: str, model: bytes) -> str | None:
    from model_worker.forest.lightgbm_c import LightGbmError, LightGbmForest
    from model_worker.structure import find_fault

    if fault := find_fault(model):
        return f"the file is damaged: {fault}"
    try:
        forest = LightGbmForest(library, model)
        for row in _trial_rows(forest.features):
            scores = struct.unpack(f"{forest.classes}d", forest.predict(row, 1))
            if not all(map(math.isfinite, scores)):
                return f"its scores are not finite numbers: {scores}"
    except (LightGbmError, MemoryError) as error:
        return f"LightGBM does not take it: {error or 'out of memory'}"
    return None


def _trial_rows(features: int) -> list[bytes]:
    return [struct.pack(f"{features}d", *[value] * features) for value in (0.0, math.nan)]


if __name__ == "__main__":
    # Isolated as it is, the interpreter knows only the standard library: this adds the program itself.
    sys.path.insert(0, __file__.rpartition("/model_worker/")[0])
    sys.exit(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
