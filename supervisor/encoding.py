"""The rows of a cohort as they go over the wire: plain, or factored where requests ask about many offers each."""

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
FEATURES = "features"
_DATATYPES = {ROW_DTYPE: "FP64", POSITION_DTYPE: "UINT32"}


@dataclass(frozen=True, slots=True)
class CandidateList:
    """The offers as one schema sees them: so many, under a name that is theirs alone, and encoded."""

    name: str
    count: int
    encoded: bytes


@dataclass(frozen=True, slots=True)
class FactoredPart:
    """Some rows of a cohort as `mesh.factored_rows` has them; `candidates` goes before them where they are new."""

    candidates: CandidateList
    encoded: bytes


class RowMatrix(Protocol):
    """The rows of a cohort for the models of one schema. Each part is encoded once for all of them."""

    @property
    def count(self) -> int:
        """How many rows there are."""
        ...

    @property
    def rows(self) -> NDArray[np.float64]:
        """The rows in full [rows, features]."""
        ...

    @property
    def is_factored(self) -> bool:
        """Whether it saves anything to send factored rows."""
        ...

    def plain(self, start: int, stop: int) -> bytes:
        """The part of a ModelInferRequest that carries rows `start` to `stop`."""
        ...

    def factored(self, start: int, stop: int) -> FactoredPart | None:
        """The same in factored rows; None where these would be no less."""
        ...

    def cut(self, start: int, stop: int) -> int:
        """Where to end a message that begins at `start` and should end at `stop`, or a little before."""
        ...


class PlainRows:
    """Rows in full: `rows` [rows, features]."""

    is_factored = False

    def __init__(self, rows: NDArray[np.float64]) -> None:
        self.rows = rows
        self._encoded: dict[tuple[int, int], bytes] = {}

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def plain(self, start: int, stop: int) -> bytes:
        """The encoded rows."""
        encoded = self._encoded.get((start, stop))
        if encoded is None:
            encoded = self._encoded[start, stop] = _encode({FEATURES: self.rows[start:stop]})
        return encoded

    def factored(self, start: int, stop: int) -> None:
        """Nothing is saved."""
        del start, stop

    def cut(self, start: int, stop: int) -> int:
        """Any row will do."""
        del start
        return stop


class FactoredRows:
    """A row for each request, [requests, features], for its pairs with the candidates from `bounds` [requests + 1] on.

    `picks` [pairs] are the pairs' candidates, None when each request asks for all of them, in order. `written_out`
    makes plain rows of it all.
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
        self._shared = shared
        self._bounds = bounds
        self._candidates = candidates
        self._picks = picks
        self._written_out = written_out
        self._encoded: dict[tuple[int, int], FactoredPart] = {}

    def plain(self, start: int, stop: int) -> bytes:
        """The pairs, each as a row of its own: for replicas that know nothing else."""
        return self._plain.plain(start, stop)

    @property
    def rows(self) -> NDArray[np.float64]:
        """The pairs' rows in full."""
        return self._plain.rows

    def factored(self, start: int, stop: int) -> FactoredPart:
        """The encoded pairs."""
        part = self._encoded.get((start, stop))
        if part is None:
            part = self._encoded[start, stop] = FactoredPart(self._candidates, self._encode(start, stop))
        return part

    def cut(self, start: int, stop: int) -> int:
        """Between two requests if it can be: what their rows share is then computed once."""
        bound = int(self._bounds[np.searchsorted(self._bounds, stop, "right") - 1])
        return bound if bound > start else stop

    @cached_property
    def _plain(self) -> PlainRows:
        return PlainRows(self._written_out())

    def _encode(self, start: int, stop: int) -> bytes:
        first = int(np.searchsorted(self._bounds, start, "right")) - 1
        last = int(np.searchsorted(self._bounds, stop, "left"))
        bounds, shared = self._bounds[first : last + 1], self._shared[first:last]
        name = oip.InferParameter(string_param=self._candidates.name)
        request = oip.ModelInferRequest(parameters={NAME_PARAMETER: name}).SerializeToString()
        if self._picks is None and bounds[0] == start and bounds[-1] == stop:
            return request + _encode({SHARED: shared})
        counts = np.diff(np.clip(bounds, start, stop)).astype(POSITION_DTYPE)
        return request + _encode({SHARED: shared, COUNTS: counts, PICKS: self._positions(start, stop)})

    def _positions(self, start: int, stop: int) -> NDArray[np.uint32]:
        if self._picks is not None:
            return self._picks[start:stop]
        return (np.arange(start, stop) % self._candidates.count).astype(POSITION_DTYPE)


def encode_candidates(columns: NDArray[np.uint32], values: NDArray[np.float64]) -> CandidateList:
    """Candidates `values` [candidates, columns], whose `columns` are ascending positions in a row."""
    encoded = _encode({COLUMNS: columns, CANDIDATES: values})
    return CandidateList(blake2b(encoded, digest_size=16).hexdigest(), len(values), encoded)


def _encode(tensors: Mapping[str, NDArray[np.float64] | NDArray[np.uint32]]) -> bytes:
    """The tensors' part of a ModelInferRequest; one part after the other is the encoding of a request with both."""
    return oip.ModelInferRequest(
        inputs=[
            oip.ModelInferRequest.InferInputTensor(name=name, datatype=_DATATYPES[tensor.dtype], shape=tensor.shape)
            for name, tensor in tensors.items()
        ],
        raw_input_contents=[tensor.tobytes() for tensor in tensors.values()],
    ).SerializeToString()
