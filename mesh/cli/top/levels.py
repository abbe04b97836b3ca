"""From which value on a figure is a warning or a problem. The bounds are those of docs/metrics.md and of the alerts."""

from __future__ import annotations

from mesh.cli.status.mesh_status import ModelStatus
from mesh.cli.top.grid import Level
from mesh.cli.top.supervisors import CertificateView
from mesh.cli.top.view import ModelView

_DAY_S = 86_400.0
_EXPECTED = ("unknown-player", "holdout")  # reasons of a fallback that are not a fault


def above(value: float | None, warning: float, problem: float) -> Level:
    """Returns the level of a value that should be small; no value is fine."""
    if value is None or value <= warning:
        return Level.FINE
    return Level.PROBLEM if value > problem else Level.WARNING


def fallbacks(fallbacks_per_s: float, reasons: dict[str, float], answers_per_s: float) -> Level:
    """Fallbacks for unknown players and in the holdout are expected; more than 0.5 % of others are a problem."""
    if not answers_per_s:
        return Level.FINE
    others = fallbacks_per_s - sum(reasons.get(reason, 0.0) for reason in _EXPECTED)
    return above(others / answers_per_s, 0.001, 0.005)


def partial(partial_per_s: float, answers_per_s: float) -> Level:
    """More than 1 % partial answers are a warning, 10 % a problem."""
    return above(partial_per_s / answers_per_s, 0.01, 0.1) if answers_per_s else Level.FINE


def starved(share: float | None) -> Level:
    """Above 0.4, cohorts are held back."""
    return above(share, 0.2, 0.4)


def lag(p99_ms: float | None) -> Level:
    """A p99 above 50 ms makes answers late."""
    return above(p99_ms, 20, 50)


def misses(share: float | None) -> Level:
    """More than 10 % of the answers without the vote of a model are a problem."""
    return above(share, 0.01, 0.1)


def hedges(share: float | None) -> Level:
    """At most 5 % of the rows are sent a second time: near that bound, slow replicas cost votes."""
    return above(share, 0.02, 0.04)


def lanes(model: ModelStatus) -> Level:
    """A model without replicas is a problem; replicas that are down, late or failing are a warning."""
    if not model.lanes_up:
        return Level.PROBLEM
    return Level.WARNING if model.lanes_out or model.lanes_up < model.lanes else Level.FINE


def files(model: ModelStatus) -> Level:
    """Two files or two engines of one model are normal only in a rollout."""
    return Level.WARNING if len(model.files) > 1 or len(model.engines) > 1 else Level.FINE


def model_level(one: ModelView) -> Level:
    """The worst level of a model."""
    waiting = Level.WARNING if one.model.rows_waiting else Level.FINE
    return max(lanes(one.model), files(one.model), waiting, misses(one.misses_share), hedges(one.hedges_share))


def drift(severity: float | None, *, is_loaded: bool) -> Level:
    """A severity of 1 is the bound of a version's drift."""
    if severity is None or severity < 0.7:
        return Level.FINE if is_loaded else Level.WARNING
    return Level.PROBLEM if severity >= 1 else Level.WARNING


def certificate(one: CertificateView) -> Level:
    """A certificate should be renewed 7 days before its end; one of a short life, a fifth of its life before."""
    bound_s = min(7 * _DAY_S, one.lifetime_s / 5 if one.lifetime_s > 0 else 7 * _DAY_S)
    if one.expires_s < bound_s / 7:
        return Level.PROBLEM
    return Level.WARNING if one.expires_s < bound_s else Level.FINE
