"""Factored rows of the Open Inference Protocol, as `mesh.factored_rows` has them; wrong ones get no further."""

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
    """One input, its bytes as many as its shape says."""

    shape: Sequence[int]
    data: bytes
    where: str


@dataclass(frozen=True, slots=True)
class FactoredRows:
    """What one message says: `shared` is float64 [requests, features]; `brought` are the candidates in it, if any."""

    name: str
    shared: bytes
    requests: int
    picks: Picks | None
    brought: Candidates | None

    def pairs(self, candidates: int, max_rows: int) -> int:
        """How many scores it asks for, of so many candidates; raises `WrongRequest` for too many, or one too high."""
        count = self.requests * candidates if self.picks is None else len(self.picks.positions) // _BYTES["UINT32"]
        if count > max_rows:
            raise WrongRequest(f"inputs: {count} pairs are too many, send {max_rows} at most in each request")
        if self.picks is not None and (highest := max(array("I", self.picks.positions))) >= candidates:
            raise WrongRequest(f"inputs: picks must be below {candidates}, the number of candidates, not {highest}")
        return count


def is_factored(request: ModelInferRequest) -> bool:
    """Whether `request` means to send factored rows."""
    return any(tensor.name == SHARED for tensor in request.inputs)


def decode_factored(request: ModelInferRequest, features: int) -> FactoredRows:
    """What `request` says to a model of so many features; raises `WrongRequest` naming the field and the mend."""
    tensors = _tensors(request)
    shared = tensors[SHARED]
    if len(shared.shape) != 2 or shared.shape[1] != features or shared.shape[0] < 1:
        raise WrongRequest(f"{shared.where}.shape: must be [requests, {features}], not {list(shared.shape)}")
    return FactoredRows(
        name=_name(request),
        shared=shared.data,
        requests=shared.shape[0],
        picks=_picks(tensors, shared.shape[0]),
        brought=_brought(tensors, features),
    )


def _tensors(request: ModelInferRequest) -> Mapping[str, _Tensor]:
    names, raw = [tensor.name for tensor in request.inputs], request.raw_input_contents
    if len(set(names)) < len(names) or not _DATATYPES.keys() >= set(names):
        raise WrongRequest(f"inputs: factored rows are of {', '.join(_DATATYPES)}, each once, not {names}")
    if len(raw) != len(names) or any(tensor.HasField("contents") for tensor in request.inputs):
        raise WrongRequest("raw_input_contents: send one entry for each input, and no contents beside them")
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
            f"raw_{where.replace('inputs', 'input_contents')}: {size} bytes make the shape, not {len(data)}"
        )
    return _Tensor(tensor.shape, data, where)


def _name(request: ModelInferRequest) -> str:
    if NAME_PARAMETER not in request.parameters:
        return ""
    parameter = request.parameters[NAME_PARAMETER]
    if not parameter.HasField("string_param"):
        raise WrongRequest(f"parameters['{NAME_PARAMETER}']: must be a text, the name of the candidates")
    return parameter.string_param


def _picks(tensors: Mapping[str, _Tensor], requests: int) -> Picks | None:
    both = _both(tensors, COUNTS, PICKS)
    if both is None:
        return None
    counts, picks = both
    if list(counts.shape) != [requests]:
        raise WrongRequest(
            f"{counts.where}.shape: counts must be [{requests}], one a request, not {list(counts.shape)}"
        )
    if len(picks.shape) != 1:
        raise WrongRequest(f"{picks.where}.shape: picks must be [pairs], not {list(picks.shape)}")
    numbers = array("I", counts.data)
    if not min(numbers):
        raise WrongRequest(f"{counts.where}: a count is 0; leave out a request that asks for no candidate")
    if sum(numbers) != picks.shape[0]:
        raise WrongRequest(f"{counts.where}: the counts make {sum(numbers)} picks, not the {picks.shape[0]} that came")
    return Picks(counts.data, picks.data)


def _brought(tensors: Mapping[str, _Tensor], features: int) -> Candidates | None:
    both = _both(tensors, COLUMNS, CANDIDATES)
    if both is None:
        return None
    columns, candidates = both
    positions = tuple(array("I", columns.data))
    if len(columns.shape) != 1 or any(one >= other for one, other in pairwise(positions)):
        raise WrongRequest(f"{columns.where}: columns must be ascending positions in a row, each once")
    if positions and positions[-1] >= features:
        raise WrongRequest(f"{columns.where}: columns must be below {features}, the model's features")
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
