from __future__ import annotations

import pytest

from mesh.errors import Expired, MeshError
from mesh.model_file import ModelHeader
from model_worker.batch import Batch, Outcome, Scored, Work
from model_worker.counters import HistogramCounts, WorkerCounters
from model_worker.identity import Engine, Identity
from model_worker.metrics import exposition
from tests.model_worker.fakes import Caller, work

HEADER = ModelHeader(("a", "b"), {}, "binary", 1, 12)
FOREST = Engine("forest")


def lines_of(counters: WorkerCounters, in_flight: int = 0, engine: Engine = FOREST) -> set[str]:
    return set(exposition(Identity("whales", HEADER, "c0ffee", engine), counters, in_flight).decode().splitlines())


def test_value_on_a_bound_is_counted_below_it() -> None:
    histogram = HistogramCounts((1, 2))
    for value in (0.5, 1, 1.5, 2, 3):
        histogram.observe(value)
    assert (histogram.counts, histogram.sum) == ([2, 2, 1], 8)


def test_batch_is_counted_in_all_metrics() -> None:
    counters, scored = WorkerCounters(), Scored(b"", 1, queue_ns=2_000_000, starved=0.0)
    outcomes: list[tuple[Work, Outcome]] = [
        (work(Caller(), 1, 2), scored),
        (work(Caller(), 1), Expired("late")),
        (work(Caller(), 1), scored),
    ]
    counters.record(Batch(outcomes, rows=3, busy_ns=4_000_000))
    assert {
        "mesh_worker_busy_seconds_total 0.004",
        "mesh_worker_expired_total 1.0",
        "mesh_worker_queue_seconds_count 2.0",
        "mesh_worker_queue_seconds_sum 0.004",
        'mesh_worker_queue_seconds_bucket{le="0.001"} 0.0',
        'mesh_worker_queue_seconds_bucket{le="0.002"} 2.0',
        "mesh_worker_predict_seconds_count 1.0",
        'mesh_worker_batch_rows_bucket{le="2.0"} 0.0',
        'mesh_worker_batch_rows_bucket{le="4.0"} 1.0',
        'mesh_worker_batch_rows_bucket{le="+Inf"} 1.0',
    } <= lines_of(counters)


def test_batch_without_rows_is_not_a_prediction() -> None:
    counters = WorkerCounters()
    counters.record(Batch([(work(Caller(), 1), MeshError("internal error"))], rows=0, busy_ns=1))
    assert {"mesh_worker_predict_seconds_count 0.0", "mesh_worker_queue_seconds_count 0.0"} <= lines_of(counters)


def test_refusals_are_counted_by_code() -> None:
    counters = WorkerCounters()
    for code in ("NOT_FOUND", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"):
        counters.refuse(code)
    assert {
        'mesh_worker_refused_total{code="NOT_FOUND"} 1.0',
        'mesh_worker_refused_total{code="RESOURCE_EXHAUSTED"} 2.0',
    } <= lines_of(counters)


def test_metrics_include_the_model_and_requests_in_flight() -> None:
    labels = 'engine="forest",features="2",name="whales",objective="binary",sha256="c0ffee",trees="12"'
    info = f"mesh_worker_model_info{{{labels}}} 1.0"
    assert {info, "mesh_worker_in_flight 7.0"} <= lines_of(WorkerCounters(), in_flight=7)


@pytest.mark.parametrize(
    ("engine", "sample"),
    [
        (FOREST, '{reason="none"} 0.0'),
        (Engine("lightgbm", "switched off"), '{reason="switched off"} 1.0'),
        # Without the row, so that the label has few values.
        (Engine("lightgbm", "the proof failed: row 17"), '{reason="the proof failed"} 1.0'),
    ],
)
def test_metric_of_the_engine_fallback_has_the_reason(engine: Engine, sample: str) -> None:
    fallbacks = [
        line for line in lines_of(WorkerCounters(), engine=engine) if line.startswith("mesh_worker_engine_fallback")
    ]
    assert fallbacks == [f"mesh_worker_engine_fallback{sample}"]
