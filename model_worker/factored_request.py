"""Decodes and checks requests of factored rows; `mesh.factored_rows` describes their format."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mesh.errors import WrongRequest
from mesh.factored_rows import CANDIDATES, COLUMNS, COUNTS, MAX_CANDIDATES, NAME_PARAMETER, PICKS, SHARED
from mesh.wire.inference_pb2 import ModelInferRequest
from model_worker.forest import Candidates, Picks

_DATATYPES = {SHARED: "FP64", COUNTS: "UINT32", PICKS: "UINT32", COLUMNS: "UINT32", CANDIDATES: "FP64"}
_BYTES = {"FP64": 8, "UINT32": 4}


@dataclass(frozen=True, slots=True)
class _Tensor:
    """One input. Its data has the size of its shape; `where` is its path in the request."""

    shape: Sequence[int]
    data: bytes
    where: str


@dataclass(frozen=True, slots=True)
class FactoredRequest:
    """One message of factored rows: `shared` is float64 [requests, features]; `included` are its candidates, if any.

    `requests` is the number of shared rows: one for each request of a caller that the supervisor sends in this message.
    """

    name: str
    shared: bytes
    requests: int
    picks: Picks | None
    included: Candidates | None

    def pairs(self, candidates: int, max_rows: int) -> int:
        """Returns the number of scores to compute, given the number of candidates.

        Raises `WrongRequest` if there are more than `max_rows`, or if a pick is not below `candidates`.
        """
        count = self.requests * candidates if self.picks is None else len(self.picks.positions) // _BYTES["UINT32"]
        if count > max_rows:
            raise WrongRequest(f"inputs: {count} pairs are too many; send at most {max_rows} in each request")
        if self.picks is not None and (highest := max(array("I", self.picks.positions))) >= candidates:
            raise WrongRequest(f"inputs: picks must be below {candidates}, the number of candidates, not {highest}")
        return count


def is_factored(request: ModelInferRequest) -> bool:
    """Whether `request` has the form of factored rows."""
    return any(tensor.name == SHARED for tensor in request.inputs)


def decode_factored(request: ModelInferRequest, features: int) -> FactoredRequest:
    """Decodes `request` for a model with so many `features`; raises `WrongRequest` with the field and the fix."""
    tensors = _tensors(request)
    shared = tensors[SHARED]
    if len(shared.shape) != 2 or shared.shape[1] != features or shared.shape[0] < 1:
        raise WrongRequest(f"{shared.where}.shape: must be [requests, {features}], not {list(shared.shape)}")
    return FactoredRequest(
        name=_name(request),
        shared=shared.data,
        requests=shared.shape[0],
        picks=_picks(tensors, shared.shape[0]),
        included=_included(tensors, features),
    )


def _tensors(request: ModelInferRequest) -> Mapping[str, _Tensor]:
    names, raw = [tensor.name for tensor in request.inputs], request.raw_input_contents
    if len(set(names)) < len(names) or not _DATATYPES.keys() >= set(names):
        raise WrongRequest(f"inputs: factored rows consist of {', '.join(_DATATYPES)}, each at most once, not {names}")
    if len(raw) != len(names) or any(tensor.HasField("contents") for tensor in request.inputs):
        raise WrongRequest("raw_input_contents: send one entry for each input, and no contents")
    return {tensor.name: _tensor(f"inputs[{place}]", tensor, raw[place]) for place, tensor in enumerate(request.inputs)}


def _tensor(where: str, tensor: ModelInferRequest.InferInputTensor, data: bytes) -> _Tensor:
    datatype = _DATATYPES[tensor.name]
    if tensor.datatype != datatype:
        raise WrongRequest(f"{where}.datatype: {tensor.name} must be {datatype}, not '{tensor.datatype}'")
    size = _BYTES[datatype]
    for length in tensor.shape:
        size *= length
    if len(data) != size:
        raise WrongRequest(
            f"raw_{where.replace('inputs', 'input_contents')}: the shape needs {size} bytes, not {len(data)}"
        )
    return _Tensor(tensor.shape, data, where)


def _name(request: ModelInferRequest) -> str:
    if NAME_PARAMETER not in request.parameters:
        return ""
    parameter = request.parameters[NAME_PARAMETER]
    if not parameter.HasField("string_param"):
        raise WrongRequest(f"parameters['{NAME_PARAMETER}']: must be a string, the name of the candidates")
    return parameter.string_param


def _picks(tensors: Mapping[str, _Tensor], requests: int) -> Picks | None:
    both = _both(tensors, COUNTS, PICKS)
    if both is None:
        return None
    counts, picks = both
    if list(counts.shape) != [requests]:
        raise WrongRequest(
            f"{counts.where}.shape: counts must be [{requests}], one for each request, not {list(counts.shape)}"
        )
    if len(picks.shape) != 1:
        raise WrongRequest(f"{picks.where}.shape: picks must be [pairs], not {list(picks.shape)}")
    numbers = array("I", counts.data)
    if not min(numbers):
        raise WrongRequest(f"{counts.where}: a count is 0; omit a request without candidates")
    if sum(numbers) != picks.shape[0]:
        raise WrongRequest(f"{counts.where}: the counts add up to {sum(numbers)} picks, but picks has {picks.shape[0]}")
    return Picks(counts.data, picks.data)


def _included(tensors: Mapping[str, _Tensor], features: int) -> Candidates | None:
    both = _both(tensors, COLUMNS, CANDIDATES)
    if both is None:
        return None
    columns, candidates = both
    positions = tuple(array("I", columns.data))
    if len(columns.shape) != 1 or any(one >= other for one, other in pairwise(positions)):
        raise WrongRequest(f"{columns.where}: columns must be a list of ascending positions, each once")
    if positions and positions[-1] >= features:
        raise WrongRequest(f"{columns.where}: columns must be below {features}, the number of features of the model")
    if len(candidates.shape) != 2 or candidates.shape[1] != len(positions):
        raise WrongRequest(
            f"{candidates.where}.shape: must be [candidates, {len(positions)}], not {list(candidates.shape)}"
        )
    if not 1 <= candidates.shape[0] <= MAX_CANDIDATES:
        raise WrongRequest(
            f"{candidates.where}.shape: send 1 to {MAX_CANDIDATES} candidates, not {candidates.shape[0]}"
        )
    return Candidates(positions, candidates.data, candidates.shape[0])


def _both(tensors: Mapping[str, _Tensor], one: str, other: str) -> tuple[_Tensor, _Tensor] | None:
    if (one in tensors) != (other in tensors):
        raise WrongRequest(f"inputs: send {one} and {other} together, or neither")
    return (tensors[one], tensors[other]) if one in tensors else None
