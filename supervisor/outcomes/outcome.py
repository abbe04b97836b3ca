"""Outcome: one checked report, from its wire format."""

from __future__ import annotations

import math
import re
import uuid
from datetime import UTC, datetime
from typing import NamedTuple

from mesh.errors import WrongRequest
from mesh.wire import offers_pb2 as wire
from supervisor.query import check_id

MAX_AGE_MS = 30 * 86_400_000
MAX_AHEAD_MS = 5 * 60_000  # the clocks of callers differ
_KINDS = {wire.SHOWN: "shown", wire.CLICKED: "clicked", wire.PURCHASED: "purchased"}
_CURRENCY = re.compile("[A-Z]{3}")


class Outcome(NamedTuple):
    """What a player did with an offer. The fields are those of `OUTCOME_SCHEMA`; times are in us since 1970."""

    outcome_id: str
    decision_id: str | None
    request_id: str | None
    time: int
    received: int
    caller: str | None
    kind: str
    offer: str | None
    value: float | None
    currency: str | None


def outcome_of(request: wire.ReportOutcomeRequest, now_ms: int, caller: str | None = None) -> Outcome:
    """Returns the outcome in a report that `caller` sends at `now_ms`. Raises WrongRequest, naming the field."""
    check_id("outcome_id", request.outcome_id, required=True)
    kind = _KINDS.get(request.kind)
    if kind is None:
        raise WrongRequest(f"kind: is {request.kind}; set SHOWN (1), CLICKED (2) or PURCHASED (3)")
    check_id("offer_id", request.offer_id, required=False)
    value = _value(request, kind)
    return Outcome(
        request.outcome_id,
        *_decision(request),
        1000 * _time_ms(request.time_ms, now_ms),
        1000 * now_ms,
        caller,
        kind,
        request.offer_id or None,
        value,
        request.currency or None,
    )


def _decision(request: wire.ReportOutcomeRequest) -> tuple[str | None, str | None]:
    """Returns the decision id and the request id of a report; exactly one of them is not None."""
    if request.decision_id and request.request_id:
        raise WrongRequest("request_id: decision_id is set, too; set only one of them")
    if request.request_id:
        check_id("request_id", request.request_id, required=True)
        return None, request.request_id
    if not request.decision_id:
        raise WrongRequest("decision_id: is empty; set it, or set request_id")
    try:
        parsed = uuid.UUID(request.decision_id)
    except ValueError:
        parsed = None
    if parsed is None or parsed.version != 7:
        raise WrongRequest(
            "decision_id: is not the decision_id of a response, such as 019ac5d2-0e5c-7cc3-98c4-dc0c0c07398f; "
            "to name the request by your own id, set request_id instead"
        )
    return str(parsed), None


def _value(request: wire.ReportOutcomeRequest, kind: str) -> float | None:
    if not request.HasField("value"):
        if request.currency:
            raise WrongRequest("currency: there is no value; set value, too, or leave currency empty")
        return None
    value = request.value
    if kind != "purchased":
        raise WrongRequest(f"value: the kind is {kind}; only a purchase (PURCHASED) has a value, leave it out")
    if not math.isfinite(value) or value < 0:
        raise WrongRequest(f"value: is {value}; set the amount that the player paid, at least 0")
    if not _CURRENCY.fullmatch(request.currency):
        given = f"is {request.currency[:16]!r}" if request.currency else "is empty"
        raise WrongRequest(f"currency: {given}; set the ISO 4217 code of the value: three capital letters, such as USD")
    return value


def _time_ms(time_ms: int, now_ms: int) -> int:
    if not time_ms:
        return now_ms
    first_ms, last_ms = now_ms - MAX_AGE_MS, now_ms + MAX_AHEAD_MS
    if first_ms <= time_ms <= last_ms:
        return time_ms
    if time_ms > last_ms:
        fault = "more than 5 minutes in the future"
    else:
        fault = "more than 30 days ago" + (" (it looks like seconds)" if first_ms <= 1000 * time_ms <= last_ms else "")
    raise WrongRequest(f"time_ms: {_named(time_ms)} is {fault}; set milliseconds since 1970, or 0 for now")


def _named(time_ms: int) -> str:
    try:
        return f"{time_ms} ({datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC)"
    except (ValueError, OverflowError, OSError):
        return str(time_ms)
