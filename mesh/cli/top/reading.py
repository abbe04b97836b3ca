"""Fast reader of metrics pages: it parses the labels of a series once, and its value at each read.

A page of 15 models has thousands of series, and prometheus_client's parser would take more CPU than the whole view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client.parser import text_string_to_metric_families

Rule = Literal["rate", "sum", "max", "min"]
_RATES = ("_total", "_bucket", "_count", "_sum")
# How the gauges of several supervisors are combined; the others are added.
_GAUGES: Mapping[str, Rule] = {
    "mesh_catalog_pending": "max",
    "mesh_catalog_refused": "max",
    "mesh_catalog_in_force": "max",
    "mesh_drift_reference_loaded": "max",
    "mesh_drift_severity": "max",
    "mesh_guard_tripped": "max",
    "mesh_model_file_in_use": "max",
    "mesh_model_replicas": "max",
    "mesh_starved_share": "max",
    "mesh_tls_certificate_expiry_timestamp_seconds": "min",
    "mesh_tls_certificate_lifetime_seconds": "min",
    "mesh_tls_certificate_refused": "max",
    "mesh_traffic_share": "max",
    "mesh_version_waiting": "max",
}
_NAMES = frozenset(
    (
        *_GAUGES,
        "mesh_caller_requests_total",
        "mesh_caller_requests_waiting",
        "mesh_calls_refused_total",
        "mesh_cohort_requests_count",
        "mesh_cohort_requests_sum",
        "mesh_cohort_rows_sum",
        "mesh_cohorts_under_way",
        "mesh_decisions_dropped_total",
        "mesh_drift_samples",
        "mesh_lanes",
        "mesh_lanes_out",
        "mesh_lanes_stale",
        "mesh_loop_lag_seconds_bucket",
        "mesh_model_misses_total",
        "mesh_request_seconds_bucket",
        "mesh_requests_total",
        "mesh_requests_waiting",
        "mesh_rows_outstanding",
        "mesh_rows_waiting",
        "mesh_second_try_rows_total",
        "mesh_second_try_wins_total",
        "mesh_shadow_ranked_total",
        "mesh_shadow_requests_total",
        "mesh_shadow_same_best_total",
        "mesh_stage_seconds_bucket",
        "mesh_stage_seconds_count",
        "mesh_stage_seconds_sum",
    )
)
_SPARE_SERIES = 10_000


@dataclass(frozen=True, slots=True)
class Series:
    """A series of a page: its name, its labels, and how its values of several supervisors are combined."""

    name: str
    labels: dict[str, str]
    rule: Rule


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of one page, by the text of their series (`name{label="value"}`), and these series."""

    values: Mapping[str, float]
    series: Mapping[str, Series | None]


class PageReader:
    """Reads the pages of one supervisor. It keeps the series that the view needs, and skips the others."""

    def __init__(self) -> None:
        self._series: dict[str, Series | None] = {}

    def read(self, text: str) -> Reading:
        """Returns the values of a page in Prometheus' text format; raises ValueError for any other text."""
        found = [_cut(line) for line in text.split("\n") if line and line[0] != "#"]
        if len(self._series) > len(found) + _SPARE_SERIES:  # of versions that are gone
            self._series = {}
        series = self._series
        for key, _ in found:
            if key not in series:
                series[key] = _parsed(key)
        return Reading({key: float(value) for key, value in found if series[key] is not None}, series)


def _cut(line: str) -> tuple[str, str]:
    """The series and the value of a line. Only labels contain braces, and a time stamp may follow the value."""
    end = line.rfind("}") + 1 or line.find(" ")
    value = line[end:].split() if end > 0 else ()
    if not value:
        raise ValueError(f"not a line of a metrics page: {line[:80]!r}")
    return line[:end], value[0]


def _parsed(key: str) -> Series | None:
    name = key.partition("{")[0]
    if name not in _NAMES:
        return None
    (family,) = text_string_to_metric_families(f"{key} 0\n")
    rule = "rate" if name.endswith(_RATES) else _GAUGES.get(name, "sum")
    return Series(name, family.samples[0].labels, rule)
