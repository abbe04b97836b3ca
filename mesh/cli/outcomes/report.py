"""Builds the report of one outcome from texts: the options of a command, or a line of a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mesh import moment
from mesh.cli.outcomes.options import KINDS
from mesh.wire import offers_pb2 as wire

TEXTS = ("outcome_id", "decision_id", "request_id", "offer_id", "currency")
FIELDS = ("game", *TEXTS, "kind", "value", "time_ms", "time")


class WrongField(Exception):
    """A field of a report cannot be read; the text names the field and the fix."""


def report_of(fields: Mapping[str, Any], game: str) -> wire.ReportOutcomeRequest:
    """Returns the report of `fields`, by their names in the request; `time` is a time of any format of `mesh.moment`.

    None and '' mean that a field is not set. Without `outcome_id`, it is made of the other ids and the kind. The
    supervisor checks the values. Raises WrongField for values that no report can have.
    """
    unknown = sorted(set(fields).difference(FIELDS))
    if unknown:
        raise WrongField(f"{unknown[0]}: is not a field of an outcome; known: {', '.join(FIELDS)}")
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    report = wire.ReportOutcomeRequest(game=_text("game", given.get("game", game)), kind=_kind(given.get("kind")))
    for name in TEXTS:
        setattr(report, name, _text(name, given.get(name, "")))
    if "value" in given:
        report.value = _number("value", given["value"])
    report.time_ms = _time_ms(given)
    if not report.outcome_id:
        report.outcome_id = "-".join(
            filter(None, (report.decision_id, report.request_id, str(given["kind"]), report.offer_id))
        )
    return report


def _kind(kind: object) -> str:
    if not isinstance(kind, str) or kind.lower() not in KINDS:
        given = "is missing" if kind is None else f"is {kind!r}"
        raise WrongField(f"kind: {given}; give {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    return kind.upper()


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise WrongField(f"{name}: is {value!r}; give a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WrongField(f"{name}: is not UTF-8; correct it") from None
    return value


def _number(name: str, value: object) -> float:
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise WrongField(f"{name}: is {value!r}; give a number")


def _time_ms(given: Mapping[str, Any]) -> int:
    if "time" in given and "time_ms" in given:
        raise WrongField("time: time_ms is given, too; give only one of them")
    if "time" in given:
        return _moment_ms(given["time"])
    time_ms = _number("time_ms", given.get("time_ms", 0))
    if not math.isfinite(time_ms) or not -(2**63) <= time_ms < 2**63:
        raise WrongField(f"time_ms: is {time_ms}; give milliseconds since 1970")
    return int(time_ms)


def _moment_ms(text: object) -> int:
    found = moment.parse(text)
    if found is None:
        raise WrongField(f"time: is {text!r}; give {moment.FORMATS}")
    return round(found.epoch_s * 1000)
