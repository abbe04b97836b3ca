"""The capacity profile of a version's models, which `loadtest profile` measures: types and JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mesh.errors import Misconfigured

FORMAT = 2


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Part):
    """Start times in seconds, over several starts."""

    min: float
    median: float
    max: float


class Batch(_Part):
    """Messages of `rows` rows with warm caches.

    `predict_*`: time in LightGBM, one message at a time. `round_trip_*`: time measured by a lane. `rows_per_s` and
    `cpu_us_per_row`: measured while messages are always queued.
    """

    rows: int
    predict_p50_ms: float
    predict_p95_ms: float
    predict_mean_ms: float
    round_trip_p50_ms: float
    round_trip_p95_ms: float
    rows_per_s: float
    cpu_us_per_row: float


class Pause(_Part):
    """Messages of the fewest rows that arrive after pauses: a replica that rests pays more for its next message.

    The pauses are exponential with mean `pause_ms`, from a reply to the next message. `cpu_us` is the CPU of a message.
    """

    pause_ms: float
    cpu_us: float


class Curve(_Part):
    """Linear fit: predict_mean_ms is about `base_ms` + `row_ms` x rows; `residual` is the largest relative error."""

    base_ms: float
    row_ms: float
    residual: float


class Capacity(_Part):
    """The maximum throughput of one replica, the batch size of that maximum, and the CPU that the replica used."""

    rows_per_s: float
    at_batch_rows: int
    cpu_us_per_row: float
    cores: float


class ModelProfile(_Part):
    """One model of `version`, or one member: then `version` is `shared`.

    `start_s`: from exec to SERVING. `start_cpu_s` includes the child process that checks the model.
    `idle_cores`: CPU of a replica without messages. `pauses` are in ascending order.
    """

    game: str
    version: str
    name: str
    sha256: str
    trees: int
    features: int
    start_s: Spread
    start_cpu_s: float
    pss_mb: float
    idle_cores: float
    batches: tuple[Batch, ...]
    pauses: tuple[Pause, ...]
    curve: Curve
    capacity: Capacity


class SupervisorProfile(_Part):
    """CPU of one supervisor: without requests, for each message to a replica and its reply, and for each request."""

    idle_cores: float
    message_cpu_us: float
    request_cpu_us: float


class Profile(_Part):
    """The document: `profile` is the format number; `models` are by game/version/name (older files: by name).

    `supervisor` is None if only some models of the version were measured.
    """

    profile: int = FORMAT
    date: str
    machine: str
    versions: dict[str, str]
    models: dict[str, ModelProfile]
    supervisor: SupervisorProfile | None = None

    def as_json(self) -> str:
        """Returns the JSON document; numbers have four significant digits."""
        return json.dumps(_rounded(self.model_dump()), indent=2)


def merged(old: Profile, new: Profile) -> Profile:
    """Returns `new` with the models of `old` that it does not have, and with its supervisor if `new` has none."""
    models = {**by_key(old.models.values()), **by_key(new.models.values())}
    return new.model_copy(update={"models": models, "supervisor": new.supervisor or old.supervisor})


def by_key(models: Iterable[ModelProfile]) -> dict[str, ModelProfile]:
    """Returns the models by game/version/name."""
    return {_key(one): one for one in models}


def _key(model: ModelProfile) -> str:
    return f"{model.game}/{model.version}/{model.name}"


def load(path: Path) -> Profile:
    """Reads a profile; raises Misconfigured with the path and the location of the first fault."""
    try:
        text = path.read_bytes()
        _check_format(path, text)
        return Profile.model_validate_json(text)
    except OSError as error:
        fix = "correct the path, or measure the models: python -m loadtest profile --all"
        raise Misconfigured([f"{path}: cannot be read: {error.strerror}; {fix}"]) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise Misconfigured(
            [f"{path}: {place}: {first['msg']}; measure it again: python -m loadtest profile"]
        ) from error


def _check_format(path: Path, text: bytes) -> None:
    """Raises Misconfigured if `text` is a profile of another format; ignores every other fault."""
    try:
        document = json.loads(text)
    except ValueError:
        return
    number = document.get("profile", FORMAT) if isinstance(document, dict) else FORMAT
    if number != FORMAT:
        problem = f"profile: format {number!r} is not supported, only {FORMAT}"
        fix = "measure the models again: python -m loadtest profile --all"
        raise Misconfigured([f"{path}: {problem}; {fix}"])


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
