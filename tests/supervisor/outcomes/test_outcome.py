"""Each field of a report is checked; the error names the field and the fix."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mesh.decision_id import new_id
from mesh.errors import WrongRequest
from mesh.wire import offers_pb2 as wire
from supervisor.outcomes.outcome import Outcome, outcome_of

NOW_MS = 1_796_000_000_000
DECISION = new_id()


def report(**fields: Any) -> wire.ReportOutcomeRequest:
    return wire.ReportOutcomeRequest(**{"game": "g", "outcome_id": "o1", "decision_id": DECISION, "kind": 1, **fields})


def test_purchase_keeps_all_its_fields() -> None:
    purchase = report(kind=wire.PURCHASED, offer_id="gold", value=4.99, currency="USD", time_ms=NOW_MS - 5)
    expected = Outcome("o1", DECISION, None, 1000 * (NOW_MS - 5), 1000 * NOW_MS, None, "purchased", "gold", 4.99, "USD")
    assert outcome_of(purchase, NOW_MS) == expected


def test_outcome_without_offer_and_time_is_of_the_first_offer_and_of_now() -> None:
    outcome = outcome_of(report(decision_id="", request_id="r1"), NOW_MS)
    assert outcome == Outcome("o1", None, "r1", 1000 * NOW_MS, 1000 * NOW_MS, None, "shown", None, None, None)


def test_decision_id_is_logged_as_the_supervisor_wrote_it() -> None:
    assert outcome_of(report(decision_id=DECISION.upper().replace("-", "")), NOW_MS).decision_id == DECISION


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"outcome_id": ""}, "outcome_id: is empty; set it"),
        ({"outcome_id": "x" * 129}, "outcome_id: has 129 bytes; use at most 128 bytes"),
        ({"decision_id": ""}, "decision_id: is empty; set it, or set request_id"),
        ({"request_id": "r1"}, "request_id: decision_id is set, too; set only one of them"),
        ({"decision_id": "", "request_id": "r\n"}, "request_id: has the character U\\+000A"),
        ({"decision_id": "r1"}, "decision_id: is not the decision_id of a response"),
        ({"decision_id": "123e4567-e89b-42d3-a456-426614174000"}, "decision_id: is not the decision_id of a response"),
        ({"kind": 0}, r"kind: is 0; set SHOWN \(1\), CLICKED \(2\) or PURCHASED \(3\)"),
        ({"kind": 7}, "kind: is 7; set SHOWN"),
        ({"offer_id": "\x00"}, "offer_id: has the character U\\+0000"),
        ({"value": 1.0, "currency": "USD"}, r"value: the kind is shown; only a purchase \(PURCHASED\) has a value"),
        ({"kind": 3, "value": math.nan, "currency": "USD"}, "value: is nan; set the amount"),
        ({"kind": 3, "value": math.inf, "currency": "USD"}, "value: is inf; set the amount"),
        ({"kind": 3, "value": -1.0, "currency": "USD"}, "value: is -1.0; set the amount"),
        ({"kind": 3, "value": 1.0}, "currency: is empty; set the ISO 4217 code"),
        ({"kind": 3, "value": 1.0, "currency": "usd"}, "currency: is 'usd'; set the ISO 4217 code"),
        ({"kind": 3, "value": 1.0, "currency": "DOLLARS"}, "currency: is 'DOLLARS'; set the ISO 4217 code"),
        ({"kind": 3, "currency": "USD"}, "currency: there is no value; set value, too"),
        ({"time_ms": NOW_MS + 301_000}, "time_ms: .* is more than 5 minutes in the future; set milliseconds"),
        ({"time_ms": NOW_MS - 31 * 86_400_000}, r"time_ms: .* is more than 30 days ago; set milliseconds"),
        ({"time_ms": NOW_MS // 1000}, r"is more than 30 days ago \(it looks like seconds\)"),
        ({"time_ms": 2**63 - 1}, "time_ms: 9223372036854775807 is more than 5 minutes in the future"),
        ({"time_ms": -(2**63)}, "time_ms: -9223372036854775808 is more than 30 days ago"),
    ],
)
def test_wrong_field_is_named_with_its_fix(fields: dict[str, Any], error: str) -> None:
    with pytest.raises(WrongRequest, match=f"^{error}" if ":" in error else error):
        outcome_of(report(**fields), NOW_MS)


@pytest.mark.parametrize("time_ms", [NOW_MS + 300_000, NOW_MS - 30 * 86_400_000])
def test_times_within_the_bounds_are_accepted(time_ms: int) -> None:
    assert outcome_of(report(time_ms=time_ms), NOW_MS).time == 1000 * time_ms
