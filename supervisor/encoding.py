"""The rows of a cohort in wire format: plain, or factored if the requests ask for many offers each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mesh.factored_rows import CANDIDATES, COLUMNS, COUNTS, NAME_PARAMETER, PICKS, SHARED
from mesh.wire import inference_pb2 as oip

ROW_DTYPE = np.dtype("<f8")
POSITION_DTYPE = np.dtype("<u4")
FEATURES = "features"  # the input of plain rows; `INPUT` in model_worker/tensors.py
_DATATYPES = {ROW_DTYPE: "FP64", POSITION_DTYPE: "UINT32"}


@dataclass(frozen=True, slots=True)
class CandidateList:
    """The encoded offer columns of one schema: `count` candidates under a unique name."""

    name: str
    count: int
    encoded: bytes


@dataclass(frozen=True, slots=True)
class FactoredPart:
    """Some rows of a cohort in the format of `mesh.factored_rows`.

    A message carries the encoded `candidates` first if its stream has not carried them yet.
    """

    candidates: CandidateList
    encoded: bytes


class RowMatrix(Protocol):
    """The rows of a cohort for all models of one schema; each part is encoded once for all of them."""

    @property
    def count(self) -> int:
        """The number of rows."""
        ...

    @property
    def rows(self) -> NDArray[np.float64]:
        """The plain rows [rows, features], for tests: the lanes use only the encoded parts."""
        ...

    @property
    def is_factored(self) -> bool:
        """Whether the rows can be sent in factored form."""
        ...

    @property
    def size_bytes(self) -> int:
        """The memory of the rows, and of their encoded form in one message for all models."""
        ...

    def plain(self, start: int, stop: int) -> bytes:
        """Rows `start` to `stop`, encoded as a part of a ModelInferRequest."""
        ...

    def factored(self, start: int, stop: int) -> FactoredPart | None:
        """Rows `start` to `stop` as factored rows; None if the rows have no factored form."""
        ...

    def cut(self, start: int, stop: int) -> int:
        """The end of a message that begins at `start`: `stop`, or a little before it."""
        ...


class PlainMatrix:
    """Plain rows: `rows` [rows, features]."""

    is_factored = False

    def __init__(self, rows: NDArray[np.float64]) -> None:
        self.rows = rows
        self._encoded: dict[tuple[int, int], bytes] = {}

    @property
    def count(self) -> int:
        """The number of rows."""
        return len(self.rows)

    @property
    def size_bytes(self) -> int:
        """The memory of the rows and of their encoded form."""
        return 2 * self.rows.nbytes

    def plain(self, start: int, stop: int) -> bytes:
        """Rows `start` to `stop`, encoded."""
        encoded = self._encoded.get((start, stop))
        if encoded is None:
            encoded = self._encoded[start, stop] = _tensor_bytes({FEATURES: self.rows[start:stop]})
        return encoded

    def factored(self, start: int, stop: int) -> None:
        """None: the rows have only the plain form."""
        del start, stop

    def cut(self, start: int, stop: int) -> int:
        """Any row can end a message."""
        del start
        return stop


class FactoredMatrix:
    """Pairs of a request and a candidate, with one row for each request in `shared` [requests, features].

    The pairs of request `i` are `bounds[i]` to `bounds[i + 1]`; `bounds` is [requests + 1]. `picks` [pairs] are the
    positions of the pairs' candidates; None if each request asks for all candidates, in order. `written_out` returns
    all pairs as plain rows [pairs, features].
    """

    is_factored = True

    def __init__(
        self,
        shared: NDArray[np.float64],
        bounds: NDArray[np.intp],
        candidates: CandidateList,
        picks: NDArray[np.uint32] | None,
        written_out: Callable[[], NDArray[np.float64]],
    ) -> None:
        self.count = int(bounds[-1])
        self.shared = shared
        self._bounds = bounds
        self._candidates = candidates
        self._picks = picks
        self._written_out = written_out
        self._encoded: dict[tuple[int, int], FactoredPart] = {}

    @property
    def size_bytes(self) -> int:
        """The memory of the shared rows and of their encoded form."""
        return 2 * self.shared.nbytes

    def plain(self, start: int, stop: int) -> bytes:
        """Pairs `start` to `stop` as plain rows, for replicas that do not accept factored rows."""
        return self._plain.plain(start, stop)

    @property
    def rows(self) -> NDArray[np.float64]:
        """The plain rows of all pairs [pairs, features]."""
        return self._plain.rows

    def factored(self, start: int, stop: int) -> FactoredPart:
        """Pairs `start` to `stop`, encoded."""
        part = self._encoded.get((start, stop))
        if part is None:
            part = self._encoded[start, stop] = FactoredPart(self._candidates, self._part_bytes(start, stop))
        return part

    def cut(self, start: int, stop: int) -> int:
        """Cuts between two requests if possible, so that no request's shared row is sent and scored twice."""
        bound = int(self._bounds[np.searchsorted(self._bounds, stop, "right") - 1])
        return bound if bound > start else stop

    @cached_property
    def _plain(self) -> PlainMatrix:
        return PlainMatrix(self._written_out())

    def _part_bytes(self, start: int, stop: int) -> bytes:
        first = int(np.searchsorted(self._bounds, start, "right")) - 1
        last = int(np.searchsorted(self._bounds, stop, "left"))
        bounds, shared = self._bounds[first : last + 1], self.shared[first:last]
        name = oip.InferParameter(string_param=self._candidates.name)
        request = oip.ModelInferRequest(parameters={NAME_PARAMETER: name}).SerializeToString()
        if self._picks is None and bounds[0] == start and bounds[-1] == stop:
            return request + _tensor_bytes({SHARED: shared})
        counts = np.diff(np.clip(bounds, start, stop)).astype(POSITION_DTYPE)
        return request + _tensor_bytes({SHARED: shared, COUNTS: counts, PICKS: self._positions(start, stop)})

    def _positions(self, start: int, stop: int) -> NDArray[np.uint32]:
        if self._picks is not None:
            return self._picks[start:stop]
        return (np.arange(start, stop) % self._candidates.count).astype(POSITION_DTYPE)


def encode_candidates(columns: NDArray[np.uint32], values: NDArray[np.float64]) -> CandidateList:
    """Encodes candidates `values` [candidates, columns]; `columns` are their ascending positions in a row."""
    encoded = _tensor_bytes({COLUMNS: columns, CANDIDATES: values})
    return CandidateList(blake2b(encoded, digest_size=16).hexdigest(), len(values), encoded)


def _tensor_bytes(tensors: Mapping[str, NDArray[np.float64] | NDArray[np.uint32]]) -> bytes:
    """Encodes tensors as a part of a ModelInferRequest; concatenated parts encode a request with all their tensors."""
    return oip.ModelInferRequest(
        inputs=[
            oip.ModelInferRequest.InferInputTensor(name=name, datatype=_DATATYPES[tensor.dtype], shape=tensor.shape)
            for name, tensor in tensors.items()
        ],
        raw_input_contents=[tensor.tobytes() for tensor in tensors.values()],
    ).SerializeToString()
