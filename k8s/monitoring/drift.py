"""The panels of drift: what differs from the training."""

from __future__ import annotations

from k8s.monitoring.grafana import Panel, Query
from k8s.monitoring.queries import OF_VERSION

_LINE = "{{version}} {{kind}} {{name}}"


def _of_supervisors(metric: str) -> str:
    """A gauge, averaged over the supervisors."""
    return f"avg by (version, kind, name) ({metric}{{{OF_VERSION}}})"


DRIFT = (
    Panel(
        "Drift by severity",
        "short",
        (Query(f"topk(10, {_of_supervisors('mesh_drift_severity')})", _LINE),),
        "Drift of features and scores in shares of its bound; MeshDrift fires at 1.",
        width=12,
    ),
    Panel(
        "Differs from the training now",
        "short",
        (Query(f"{_of_supervisors('mesh_drift_severity')} >= 1", _LINE),),
        "Empty if nothing exceeds its bound.",
        kind="table",
        width=12,
    ),
    Panel(
        "Population stability index",
        "short",
        (Query(f"topk(10, {_of_supervisors('mesh_drift_psi')})", _LINE),),
        "Difference of two distributions; the bound is 0.2.",
    ),
    Panel(
        "Missing values",
        "percentunit",
        (Query(f"topk(10, abs({_of_supervisors('mesh_drift_missing_difference')}))", _LINE),),
        "Share of missing values, minus that of the training, without its sign; the bound is 2 %.",
    ),
    Panel(
        "Unseen categories",
        "percentunit",
        (Query(f"topk(10, {_of_supervisors('mesh_drift_unseen_ratio')})", _LINE),),
        "Share of values that no model of the version knows; the bound is 2 % more than in the training.",
    ),
    Panel(
        "Shift of the scores",
        "short",
        (Query(_of_supervisors("mesh_drift_shift"), _LINE),),
        "Difference of the mean score, in standard deviations of the training; the bound is 0.5.",
    ),
    Panel(
        "Compared requests",
        "short",
        (Query(f"sum by (version) (mesh_drift_samples{{{OF_VERSION}}})", "{{version}}"),),
        "Sampled requests that the figures are from; a supervisor needs 500 of a version.",
    ),
)
