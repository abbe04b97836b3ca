"""Recorded ticks of a controller: the HPA, all that was seen, and what was decided; JSON, gzipped or not.

What each field means: tests/autoscaling/traces/README.md
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from mesh.errors import Misconfigured

_GZIP = b"\x1f\x8b"
Part = TypeVar("Part")
List = Annotated[tuple[Part, ...], Field(strict=False)]


class _Part(BaseModel):
    """Strict about kinds, patient with keys: a recorder may write more than is replayed."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class RecordedFlags(_Part):
    """The controller's flags, in seconds."""

    sync_s: float = 15.0
    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    cpu_initialization_s: float = 300.0
    initial_readiness_delay_s: float = 30.0


class RecordedPod(_Part):
    """One pod; without `ready_since_s` it has no Ready condition, with `ready` null the condition is Unknown."""

    name: str
    phase: str
    start_s: float | None = None
    ready: bool | None = None
    ready_since_s: float | None = None
    deleting: bool = False
    requests_m: dict[str, int] = {}


class Usage(_Part):
    """One pod of the resource metrics API: CPU in thousandths of a core by container."""

    usage_m: dict[str, int]
    at_s: float
    window_s: float


class Value(_Part):
    """One pod of the custom metrics API, in thousandths."""

    value_m: int
    at_s: float = 0.0
    window_s: float = 60.0


class Answers(_Part):
    """What each metrics API gave; null or absent: it failed."""

    resource: dict[str, Usage] | None = None
    pods: dict[str, Value] | None = None
    external: List[int] | None = None
    object: int | None = None


class TickIn(_Part):
    """What the controller saw."""

    t_s: float
    spec_replicas: int
    status_replicas: int
    pods: List[RecordedPod]
    metrics: Answers


class TickOut(_Part):
    """What it decided; `conditions` by type, status and reason."""

    spec_replicas: int
    rescaled: bool
    desired_replicas: int
    conditions: List[dict[str, str]]
    current_metrics: List[dict[str, Any]] | None = None
    error: str | None = None


class Tick(_Part):
    """One reconcile. `doubt`: why what the controller saw may be another than what was recorded."""

    seen: TickIn = Field(alias="in")
    out: TickOut
    doubt: str | None = None


class Before(_Part):
    """What the HPA's status said before the first tick."""

    desired_replicas: int = 0
    conditions: List[dict[str, str]] = ()


class Trace(_Part):
    """One HPA from its first reconcile on, or from a later one: then `compared_from_s` says since when all that the
    controller remembers was recorded, and `before` what the status said. `namespace` is the HPA's, `not_recorded` names
    fields of `out`.
    """

    spec: dict[str, Any]
    controller: RecordedFlags = RecordedFlags()
    kubernetes: str | None = None
    namespace: str = "game"
    before: Before = Before()
    compared_from_s: float | None = None
    not_recorded: List[str] = ()
    ticks: List[Tick]


def load(file: Path) -> Trace:
    """The trace in `file`; raises Misconfigured with a line that names file and field for everything wrong."""
    try:
        content = file.read_bytes()
        text = gzip.decompress(content) if content.startswith(_GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured([f"{file}: it cannot be read: {_reason(error)}"]) from None
    try:
        return Trace.model_validate_json(text)
    except ValidationError as error:
        raise Misconfigured([_fault(file, one) for one in error.errors(include_url=False)]) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _fault(file: Path, error: ErrorDetails) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{file}: {path}: {message}" if path else f"{file}: {message}"
