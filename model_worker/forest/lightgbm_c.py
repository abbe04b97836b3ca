"""The adapter to the C API of LightGBM: it needs a third of the memory and a fifth of the start time of the package.

Functions: LightGBM, include/LightGBM/c_api.h. One thread uses a Booster (issue #6142). Every call gets `num_threads`,
because a call without it resets the setting of the whole process.
"""

from __future__ import annotations

import ctypes
import os

from model_worker.forest import Candidates
from model_worker.forest.expanded_table import ExpandedTable
from model_worker.forest.score_buffer import ScoreBuffer

_FLOAT64 = 1
_ROW_MAJOR = 1
_NORMAL_SCORES = 0
_ALL_TREES = -1

_LogCallback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)


class LightGbmError(Exception):
    """An error of LightGBM, with its own message."""


def find_library() -> str:
    """Returns the path of `lib_lightgbm.so` in the installed package, without importing the package."""
    from importlib.util import find_spec

    spec = find_spec("lightgbm")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package lightgbm is not installed", name="lightgbm")
    package, _, _ = spec.origin.rpartition("/")
    return f"{package}/lib/lib_lightgbm.so"


class LightGbmForest:
    """A Booster as a `Forest`. Construction loads it, and raises `LightGbmError`."""

    def __init__(self, library: str, model: bytes, num_threads: int = 1) -> None:
        os.environ["OMP_NUM_THREADS"] = str(num_threads)  # the library reads it once, when it is loaded
        self._library = _load(library)
        self._params = b"num_threads=%d" % num_threads
        self._booster = self._load_booster(model)
        self.features = self._number("LGBM_BoosterGetNumFeature")
        self.classes = self._number("LGBM_BoosterGetNumClasses")
        self._buffer = ScoreBuffer(self.classes)
        self._written = ctypes.c_int64()
        self._one_row = self._library.LGBM_BoosterPredictForMatSingleRowFast
        self._one_row_config = self._prepare_one_row()

    def predict(self, rows: bytes, count: int) -> bytes:
        """Returns the scores, float64 [count, classes], of `rows`, float64 [count, features]."""
        if count == 1:
            return self._predict_one(rows)
        return self._predict_many(rows, count)

    def table(self, candidates: Candidates) -> ExpandedTable:
        """Prepares `candidates`; each pair is expanded to a row."""
        return ExpandedTable(self, candidates)

    def _predict_one(self, row: bytes) -> bytes:
        self._check(self._one_row(self._one_row_config, row, self._written, self._buffer.reserve(1)))
        return self._buffer.read(1)

    def _predict_many(self, rows: bytes, count: int) -> bytes:
        self._check(
            self._library.LGBM_BoosterPredictForMat(
                self._booster, rows, _FLOAT64, count, self.features, _ROW_MAJOR,
                _NORMAL_SCORES, 0, _ALL_TREES, self._params, self._written, self._buffer.reserve(count),
            )
        )  # fmt: skip
        return self._buffer.read(count)

    def _load_booster(self, model: bytes) -> ctypes.c_void_p:
        iterations, booster = ctypes.c_int(), ctypes.c_void_p()
        self._check(self._library.LGBM_BoosterLoadModelFromString(model, iterations, booster))
        return booster

    def _prepare_one_row(self) -> ctypes.c_void_p:
        config = ctypes.c_void_p()
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                self._booster, _NORMAL_SCORES, 0, _ALL_TREES, _FLOAT64, self.features, self._params, config
            )
        )
        return config

    def _number(self, function: str) -> int:
        value = ctypes.c_int()
        self._check(getattr(self._library, function)(self._booster, value))
        return value.value

    def _check(self, status: int) -> None:
        if status != 0:
            raise LightGbmError(self._library.LGBM_GetLastError().decode(errors="replace"))


# LightGBM logs to stdout, which is reserved for the ready line. Its errors are also returned by the calls.
_discard = _LogCallback(lambda _line: None)


def _load(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise LightGbmError(f"cannot load LightGBM: {error}") from error
    for name, arguments in _SIGNATURES.items():
        getattr(library, name).argtypes = arguments
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    library.LGBM_RegisterLogCallback(_discard)
    return library


_in, _int, _text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_out_int, _out_int64, _out_handle = (ctypes.POINTER(kind) for kind in (ctypes.c_int, ctypes.c_int64, ctypes.c_void_p))
_SIGNATURES = {
    "LGBM_RegisterLogCallback": (_LogCallback,),
    "LGBM_BoosterLoadModelFromString": (_text, _out_int, _out_handle),
    "LGBM_BoosterGetNumFeature": (_in, _out_int),
    "LGBM_BoosterGetNumClasses": (_in, _out_int),
    "LGBM_BoosterPredictForMatSingleRowFastInit": (
        _in, _int, _int, _int, _int, ctypes.c_int32, _text, _out_handle,
    ),
    "LGBM_BoosterPredictForMatSingleRowFast": (_in, _in, _out_int64, _in),
    "LGBM_BoosterPredictForMat": (
        _in, _in, _int, ctypes.c_int32, ctypes.c_int32, _int, _int, _int, _int, _text, _out_int64, _in,
    ),
}  # fmt: skip
