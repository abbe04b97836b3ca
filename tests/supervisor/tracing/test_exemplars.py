"""Exemplars: the histograms of a version name the kept traces, in OpenMetrics only."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from supervisor.answers import Answer, Source, Timings
from supervisor.metrics import Metrics

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ANSWER = Answer(Source.ENSEMBLE, None, timings=Timings(0.001, 0.002, 0.003, 0.004, "m1"))


def exemplars(page: str) -> set[tuple[str, str]]:
    """The histograms with exemplars, and the traces that they name."""
    families = text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    samples = [sample for family in families for sample in family.samples]
    return {(one.name, one.exemplar.labels["trace_id"]) for one in samples if one.exemplar is not None}


def test_histograms_of_requests_and_stages_name_the_kept_trace() -> None:
    metrics = Metrics()
    metrics.of("g", "v1").record_answer(ANSWER, 0.01, TRACE)
    names = ("mesh_request_seconds_bucket", "mesh_stage_seconds_bucket")
    assert exemplars(metrics.open_metrics().decode()) == {(name, TRACE) for name in names}
    assert TRACE not in metrics.exposition().decode()


def test_request_without_a_kept_trace_leaves_no_exemplar() -> None:
    metrics = Metrics()
    metrics.of("g", "v1").record_answer(ANSWER, 0.01)
    assert not exemplars(metrics.open_metrics().decode())
