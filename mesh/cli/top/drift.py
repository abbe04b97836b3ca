"""What `mesh top` shows of the drift of a version: its worst figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.cli.status.interval import Interval


@dataclass(frozen=True, slots=True)
class DriftView:
    """The drift of a version with a reference. `severity` is in shares of its bound, at `kind` `name`.

    `severity` is None as long as there are no figures.
    """

    game: str
    version: str
    is_reference_loaded: bool
    samples: int
    severity: float | None
    kind: str = ""
    name: str = ""


def drifts(interval: Interval) -> Iterator[DriftView]:
    """Yields the view of every version with a reference."""
    page = interval.after
    for loaded in page.find("mesh_drift_reference_loaded"):
        version = {"game": loaded.labels["game"], "version": loaded.labels["version"]}
        worst = max(page.find("mesh_drift_severity", **version), key=lambda one: one.value, default=None)
        yield DriftView(
            **version,
            is_reference_loaded=loaded.value > 0,
            samples=int(page.total("mesh_drift_samples", **version)),
            severity=None if worst is None else worst.value,
            kind="" if worst is None else worst.labels["kind"],
            name="" if worst is None else worst.labels["name"],
        )
