"""Replays the golden rows of a model before it is served: the loaded model must give the scores that they state.

The rows go through the same functions as the requests of a supervisor: as messages of plain rows, alone and together,
and as a message of factored rows.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from mesh.errors import MeshError
from mesh.factored_rows import CANDIDATES, COLUMNS, NAME_PARAMETER, SHARED
from mesh.golden import BadGolden, Difference, Golden, check_model, decode, find_difference, rows_of
from mesh.model_file import BadModel, ModelHeader, with_categories
from mesh.wire.inference_pb2 import ModelInferRequest
from model_worker.artifact import Artifact, ArtifactSource, fetch
from model_worker.batch import Outcome, Pairs, Work, predict_batch
from model_worker.factored_request import decode_factored
from model_worker.forest import Forest
from model_worker.identity import Engine
from model_worker.tensors import INPUT
from model_worker.tensors import decode as decode_rows

_ROWS_AT_ONCE = 1024  # below the default of --max-batch-rows
_FLOAT64_BYTES = 8
_SHOWN_VALUES = 6
_IMPORTANCES = b"\nfeature_importances:\n"


class GoldenRows(NamedTuple):
    """The golden rows of a model as it sees them, float64 [rows, features], and the place of their file."""

    uri: str
    golden: Golden
    rows: bytes


def read_golden(
    source: ArtifactSource, uri: str, sha256: str | None, model: Artifact, header: ModelHeader
) -> GoldenRows:
    """Reads the golden rows of `model` at `uri`; raises `BadModel` if they are missing, damaged or of another model."""
    try:
        artifact = fetch(source, uri, sha256)
        artifact.file.close()
        golden = decode(artifact.model)
        check_model(golden, model.sha256, header.feature_names, header.classes)
        known = header if header.open_lists is None else with_categories(header, golden.categories)
        return GoldenRows(uri, golden, rows_of(golden, known.categories))
    except (BadModel, BadGolden) as error:
        raise BadModel(f"its golden rows {uri}: {error}") from error


def replay(rows: GoldenRows, forest: Forest, engine: Engine, model: bytes) -> float:
    """Scores the rows in each form; returns the seconds. Raises `BadModel` with the first score that differs.

    The same thread uses the forest as later; no request is served yet.
    """
    started_s = time.monotonic()
    for form, score in _FORMS.items():
        try:
            difference = find_difference(rows.golden, score(forest, rows))
        except MeshError as error:
            raise BadModel(f"its golden rows {rows.uri} cannot be scored {form}: {error.reason}") from error
        if difference is not None:
            raise BadModel(_sentence(rows, difference, form, engine, model))
    return time.monotonic() - started_s


class _Caller:
    """Receives the outcome of one message at once."""

    gone = False

    def settle(self, outcome: Outcome) -> None:
        """Nothing waits."""


def _together(forest: Forest, rows: GoldenRows) -> bytes:
    return b"".join(_plain(forest, part) for part in _parts(rows, forest.features, _ROWS_AT_ONCE))


def _alone(forest: Forest, rows: GoldenRows) -> bytes:
    return b"".join(_plain(forest, part) for part in _parts(rows, forest.features, 1))


def _factored(forest: Forest, rows: GoldenRows) -> bytes:
    """Sends the rows as the candidates of one request, with all columns."""
    return b"".join(_as_candidates(forest, part) for part in _parts(rows, forest.features, _ROWS_AT_ONCE))


def _parts(rows: GoldenRows, features: int, count: int) -> Iterator[bytes]:
    size = features * count * _FLOAT64_BYTES
    return (rows.rows[start : start + size] for start in range(0, len(rows.rows), size))


def _plain(forest: Forest, rows: bytes) -> bytes:
    count = len(rows) // (_FLOAT64_BYTES * forest.features)
    request = ModelInferRequest(raw_input_contents=[rows])
    request.inputs.add(name=INPUT, datatype="FP64", shape=(count, forest.features))
    decoded = decode_rows(_sent(request), forest.features, count)
    return _scored(forest, Work(decoded.rows, decoded.count, _Caller(), time.monotonic_ns()))


def _as_candidates(forest: Forest, rows: bytes) -> bytes:
    features, columns = forest.features, array("I", range(forest.features))
    count = len(rows) // (_FLOAT64_BYTES * features)
    request = ModelInferRequest(raw_input_contents=[bytes(_FLOAT64_BYTES * features), columns.tobytes(), rows])
    request.parameters[NAME_PARAMETER].string_param = "golden"
    for name, datatype, shape in ((SHARED, "FP64", (1, features)), (COLUMNS, "UINT32", (features,))):
        request.inputs.add(name=name, datatype=datatype, shape=shape)
    request.inputs.add(name=CANDIDATES, datatype="FP64", shape=(count, features))
    factored = decode_factored(_sent(request), features)
    assert factored.included is not None
    pairs = Pairs(forest.table(factored.included), factored.requests, factored.picks)
    return _scored(forest, Work(factored.shared, count, _Caller(), time.monotonic_ns(), pairs=pairs))


def _sent(request: ModelInferRequest) -> ModelInferRequest:
    return ModelInferRequest.FromString(request.SerializeToString())


def _scored(forest: Forest, work: Work) -> bytes:
    ((_, outcome),) = predict_batch(forest, [work], 0.0).outcomes
    if isinstance(outcome, MeshError):
        raise outcome
    return outcome.scores


_FORMS: dict[str, Callable[[Forest, GoldenRows], bytes]] = {
    "together": _together,
    "alone": _alone,
    "in factored form": _factored,
}


def _sentence(rows: GoldenRows, difference: Difference, form: str, engine: Engine, model: bytes) -> str:
    golden = rows.golden
    allowed = f" (tolerance {golden.tolerance!r})" if golden.tolerance else ""
    values = _values(golden, difference.row - 1, model)
    return (
        f"it does not give the scores of its golden rows {rows.uri}: {difference}{allowed}, scored {form} by {engine}; "
        f"the expected scores are of {golden.scored_by}; {values}; serve the model with the software that gives these "
        "scores, or publish it with other golden rows"
    )


def _values(golden: Golden, place: int, model: bytes) -> str:
    """Returns the values of the row in the columns that the model splits on most often."""
    values = dict(zip(golden.features, golden.rows[place].values, strict=True))
    names = [name for name in _by_importance(model) if name in values] or list(values)
    more = ", ..." if len(names) > _SHOWN_VALUES else ""
    return "values: " + ", ".join(f"{name}={_text(values[name])}" for name in names[:_SHOWN_VALUES]) + more


def _by_importance(model: bytes) -> Sequence[str]:
    _, _, tail = model.rpartition(_IMPORTANCES)
    block = tail.partition(b"\n\n")[0].decode(errors="replace")
    return [line.rpartition("=")[0] for line in block.splitlines() if "=" in line] if len(tail) < len(model) else []


def _text(value: object) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "missing" if missing else repr(value)
