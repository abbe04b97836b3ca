"""The file format of a trace: an HPA, and the observation and decision of each tick; JSON, gzipped or not.

tests/autoscaling/traces/README.md describes each field.
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
Array = Annotated[tuple[Part, ...], Field(strict=False)]


class _Part(BaseModel):
    """Checks types strictly and ignores unknown keys, because a recorder may write more fields than a replay needs."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class RecordedFlags(_Part):
    """The flags of the controller; `tolerance` is a ratio, the others are in seconds."""

    sync_s: float = 15.0
    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    cpu_initialization_s: float = 300.0
    initial_readiness_delay_s: float = 30.0


class RecordedPod(_Part):
    """One pod. Without `ready_since_s` it has no Ready condition; with `ready` null the condition is Unknown."""

    name: str
    phase: str
    start_s: float | None = None
    ready: bool | None = None
    ready_since_s: float | None = None
    deleting: bool = False
    requests_m: dict[str, int] = {}


class PodUsage(_Part):
    """One pod in the resource metrics API: CPU by container, in thousandths of a core."""

    usage_m: dict[str, int]
    at_s: float
    window_s: float


class PodValue(_Part):
    """One pod in the custom metrics API: its value in thousandths."""

    value_m: int
    at_s: float = 0.0
    window_s: float = 60.0


class RecordedMetrics(_Part):
    """The response of each metrics API; null or absent: the API returned an error."""

    resource: dict[str, PodUsage] | None = None
    pods: dict[str, PodValue] | None = None
    external: Array[int] | None = None
    object: int | None = None


class TickIn(_Part):
    """The observation of the controller."""

    t_s: float
    spec_replicas: int
    status_replicas: int
    pods: Array[RecordedPod]
    metrics: RecordedMetrics


class TickOut(_Part):
    """The decision of the controller; each condition has a type, a status and a reason."""

    spec_replicas: int
    rescaled: bool
    desired_replicas: int
    conditions: Array[dict[str, str]]
    current_metrics: Array[dict[str, Any]] | None = None
    error: str | None = None


class Tick(_Part):
    """One reconcile. `doubt`: why the recorded observation may differ from that of the controller."""

    observed: TickIn = Field(alias="in")
    out: TickOut
    doubt: str | None = None


class InitialStatus(_Part):
    """The HPA's status before the first tick."""

    desired_replicas: int = 0
    conditions: Array[dict[str, str]] = ()


class Trace(_Part):
    """One HPA from its first reconcile on, or from a later reconcile.

    In the second case, `compared_from_s` is the time from which on the trace contains the whole state of the
    controller, and `before` is the status at the start. `namespace` is that of the HPA; `not_recorded` names fields of
    `out`.
    """

    spec: dict[str, Any]
    controller: RecordedFlags = RecordedFlags()
    kubernetes: str | None = None
    namespace: str = "game"
    before: InitialStatus = InitialStatus()
    compared_from_s: float | None = None
    not_recorded: Array[str] = ()
    ticks: Array[Tick]


def load(file: Path) -> Trace:
    """Reads the trace in `file`; raises Misconfigured with one line per fault, which names the file and the field."""
    try:
        content = file.read_bytes()
        text = gzip.decompress(content) if content.startswith(_GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured([f"{file}: cannot be read: {_reason(error)}; correct the path"]) from None
    try:
        return Trace.model_validate_json(text)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        if not errors[0]["loc"]:  # not JSON, or not an object
            raise Misconfigured([f"{file}: is not a trace; record one with `mesh hpa record`"]) from None
        raise Misconfigured([_fault(file, one) for one in errors]) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _fault(file: Path, error: ErrorDetails) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")
    return f"{file}: {path}: {error['msg'][0].lower()}{error['msg'][1:]}"
