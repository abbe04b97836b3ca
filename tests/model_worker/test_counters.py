from __future__ import annotations

import pytest

from mesh.errors import Expired, MeshError
from mesh.model_file import ModelHeader
from model_worker.batch import Batch, Outcome, Scored, Work
from model_worker.identity import Engine, Identity
from model_worker.metrics import exposition
from model_worker.tally import Spread, Tally
from tests.model_worker.fakes import Caller, work

HEADER = ModelHeader(("a", "b"), {}, "binary", 1, 12)
FOREST = Engine("forest")


def lines_of(tally: Tally, in_flight: int = 0, engine: Engine = FOREST) -> set[str]:
    return set(exposition(Identity("whales", HEADER, "c0ffee", engine), tally, in_flight).decode().splitlines())


def test_a_value_on_a_bound_is_counted_below_it() -> None:
    spread = Spread((1, 2))
    for value in (0.5, 1, 1.5, 2, 3):
        spread.observe(value)
    assert (spread.counts, spread.sum) == ([2, 2, 1], 8)


def test_a_batch_is_counted_in_all_its_parts() -> None:
    tally, scored = Tally(), Scored(b"", 1, queue_ns=2_000_000, starved=0.0)
    outcomes: list[tuple[Work, Outcome]] = [
        (work(Caller(), 1, 2), scored),
        (work(Caller(), 1), Expired("late")),
        (work(Caller(), 1), scored),
    ]
    tally.record(Batch(outcomes, rows=3, busy_ns=4_000_000))
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
    } <= lines_of(tally)


def test_a_batch_without_rows_is_no_predict_call() -> None:
    tally = Tally()
    tally.record(Batch([(work(Caller(), 1), MeshError("internal error"))], rows=0, busy_ns=1))
    assert {"mesh_worker_predict_seconds_count 0.0", "mesh_worker_queue_seconds_count 0.0"} <= lines_of(tally)


def test_refusals_are_counted_by_code() -> None:
    tally = Tally()
    for code in ("NOT_FOUND", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"):
        tally.refuse(code)
    assert {
        'mesh_worker_refused_total{code="NOT_FOUND"} 1.0',
        'mesh_worker_refused_total{code="RESOURCE_EXHAUSTED"} 2.0',
    } <= lines_of(tally)


def test_the_model_and_what_is_in_flight_are_told() -> None:
    labels = 'engine="forest",features="2",name="whales",objective="binary",sha256="c0ffee",trees="12"'
    info = f"mesh_worker_model_info{{{labels}}} 1.0"
    assert {info, "mesh_worker_in_flight 7.0"} <= lines_of(Tally(), in_flight=7)


@pytest.mark.parametrize(
    ("engine", "told"),
    [
        (FOREST, '{reason="none"} 0.0'),
        (Engine("lightgbm", "switched off"), '{reason="switched off"} 1.0'),
        # Without the row: a label's values are few.
        (Engine("lightgbm", "the proof failed: row 17"), '{reason="the proof failed"} 1.0'),
    ],
)
def test_that_lightgbm_serves_instead_of_the_forest_engine_is_told_with_the_reason(engine: Engine, told: str) -> None:
    fallbacks = [line for line in lines_of(Tally(), engine=engine) if line.startswith("mesh_worker_engine_fallback")]
    assert fallbacks == [f"mesh_worker_engine_fallback{told}"]
