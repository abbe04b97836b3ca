"""Metrics pages of a supervisor with two versions, one of which has a slow replica."""

from __future__ import annotations

from mesh.cli.top.combined import Span
from mesh.cli.top.reading import PageReader
from mesh.cli.top.scrapes import Scrape

FIRST, SECOND = 'game="g",version="1"', 'game="g",version="2"'
NOW_S = 1_000_000_000.0
DAY_S = 86_400


def page(seconds: float, per_s: float = 100.0, more: str = "", digest: str = "abc") -> str:
    """The metrics after `seconds` with `per_s` answers a second of version 1, of which one in ten is PARTIAL."""
    answers = per_s * seconds
    stage = f'{FIRST},stage="fan_out"'
    return f"""# HELP mesh_requests_total Answers.
# TYPE mesh_requests_total counter
mesh_requests_total{{{FIRST},source="ENSEMBLE",reason="none"}} {answers * 0.9}
mesh_requests_total{{{FIRST},source="PARTIAL",reason="missing-models"}} {answers * 0.1}
mesh_request_seconds_bucket{{{FIRST},le="0.002"}} {answers * 0.5}
mesh_request_seconds_bucket{{{FIRST},le="0.01"}} {answers}
mesh_request_seconds_bucket{{{FIRST},le="+Inf"}} {answers}
mesh_stage_seconds_bucket{{{stage},le="0.001"}} {answers * 0.5}
mesh_stage_seconds_bucket{{{stage},le="0.003"}} {answers}
mesh_stage_seconds_bucket{{{stage},le="+Inf"}} {answers}
mesh_cohort_rows_sum{{{FIRST}}} {answers * 10}
mesh_model_misses_total{{{FIRST},model="whales"}} {answers * 0.2}
mesh_second_try_rows_total{{{FIRST},model="whales",cause="overdue"}} {answers * 0.3}
mesh_lanes{{{FIRST},model="whales",state="up"}} 1
mesh_lanes{{{FIRST},model="whales",state="down"}} 1
mesh_lanes{{{FIRST},model="asia",state="up"}} 2
mesh_lanes{{{SECOND},model="asia",state="up"}} 2
mesh_rows_waiting{{{FIRST},model="asia"}} 0
mesh_traffic_share{{{FIRST}}} 0.9
mesh_traffic_share{{{SECOND}}} 0.1
mesh_catalog_in_force{{game="g",digest="{digest}"}} 1
mesh_starved_share 0.1
mesh_caller_requests_total{{game="g",caller="shop",outcome="ENSEMBLE"}} {answers * 0.9}
mesh_caller_requests_total{{game="g",caller="shop",outcome="over-quota"}} {answers * 0.05}
mesh_caller_requests_waiting{{game="g",caller="shop"}} 3
mesh_drift_reference_loaded{{{FIRST}}} 1
mesh_drift_severity{{{FIRST},kind="feature",name="level"}} 0.5
mesh_drift_severity{{{FIRST},kind="score",name="asia"}} 1.25
mesh_drift_samples{{{FIRST}}} 900
mesh_tls_certificate_expiry_timestamp_seconds{{certificate="own"}} {NOW_S + 3 * DAY_S}
mesh_tls_certificate_lifetime_seconds{{certificate="own"}} {90 * DAY_S}
{more}
"""


def scrape(before: str, after: str, seconds: float = 1.0, address: str = "a:9100") -> Scrape:
    """The scrape of a supervisor with these two pages."""
    reader = PageReader()
    return Scrape(address, Span(reader.read(before), reader.read(after), seconds))


def busy(address: str = "a:9100", **page_of: object) -> Scrape:
    """The scrape of a supervisor that answers 100 requests a second, two seconds long."""
    return scrape(page(10, **page_of), page(12, **page_of), 2.0, address)  # type: ignore[arg-type]
