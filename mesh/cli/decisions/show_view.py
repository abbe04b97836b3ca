"""Prints one logged decision: what was shown to whom, why, from which inputs, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mesh.cli import console
from mesh.cli.console import print_line
from mesh.cli.decisions.shown import Candidate, ShownDecision

MAX_COLUMNS = 6  # candidates in the table of votes: it fits a terminal of 100 columns
_HOLDOUT = "holdout"


def print_decision(shown: ShownDecision, top: int) -> None:
    """Prints the decision, with at most `top` candidates."""
    out = console.stdout()
    for line in _facts(shown):
        print_line(out, line)
    if shown.candidates:
        _print_candidates(out, shown, top)
    if shown.inputs:
        _print_inputs(out, shown)
    elif shown.ensemble is not None:
        print_line(out, "")
        print_line(out, "The features are not in the log (`decisions.features: false`).")
    print_line(out, "")
    if shown.outcomes:
        out.print(_outcomes(shown.outcomes))
    else:
        print_line(out, "No outcomes.")


def _facts(shown: ShownDecision) -> Iterator[str]:
    record = shown.record
    limit = "" if record["limit"] is None else f", limit {record['limit']}"
    yield f"decision {record['decision_id']}, {record['time']:%Y-%m-%d %H:%M:%S.%f} UTC, {record['method']}{limit}"
    who = {"game": "game", "player": "player", "caller": "caller", "request_id": "request", "supervisor": "supervisor"}
    yield ", ".join(f"{word} {record[name]}" for name, word in who.items() if record[name] is not None)
    yield _version(record)
    yield _answer(record)
    if record["explored"] or (record["propensity"] or 1.0) < 1:
        yield _exploration(record)
    yield from _gaps(record)
    if record["total_ms"] is not None:
        yield _timings(record)


def _version(record: Mapping[str, Any]) -> str:
    digest = "" if record["version_digest"] is None else f", digest {record['version_digest']}"
    if record["reason"] == _HOLDOUT:
        return f"version {record['version']} was not asked: the player is in the holdout"
    why = "pinned by the caller" if record["pinned"] else "assigned by the shares of the traffic"
    return f"version {record['version']}: {why}{digest}"


def _answer(record: Mapping[str, Any]) -> str:
    result = f"score {record['score']:.6g}" if record["score"] is not None else ", ".join(record["offers"] or ["-"])
    reason = "" if record["reason"] is None else f" ({record['reason']}: {record['detail'] or '-'})"
    return f"answer: {result}, {record['source']}{reason}"


def _exploration(record: Mapping[str, Any]) -> str:
    chance = "" if record["propensity"] is None else f"; its probability was {record['propensity']:.6g}"
    return f"explore: the first offer {'was drawn' if record['explored'] else 'is the best one'}{chance}"


def _gaps(record: Mapping[str, Any]) -> Iterator[str]:
    if record["unknown_player"]:
        yield "the store does not know the player"
    words = {
        "missing_models": "models without a vote",
        "missing_inputs": "features without a value",
        "unseen_inputs": "features with a value that no model knows",
    }
    for name, word in words.items():
        if record[name]:
            yield f"{word}: {', '.join(record[name])}"
    if record["features_age_ms"] is not None:
        yield f"age of the features: {record['features_age_ms'] / 1000:.3g} s"


def _timings(record: Mapping[str, Any]) -> str:
    last = f" (last: {record['last_model']})" if record["last_model"] else ""
    steps = {"queue_ms": "queue", "features_ms": "features", "fan_out_ms": f"models{last}", "combine_ms": "combine"}
    known = [f"{word} {record[name]:.2f}" for name, word in steps.items() if record[name] is not None]
    return f"time: {record['total_ms']:.2f} ms" + (f" = {' + '.join(known)} + rest" if known else "")


def _print_candidates(out: Console, shown: ShownDecision, top: int) -> None:
    ensemble, first = shown.ensemble, shown.candidates[:top]
    assert ensemble is not None  # else no models were asked, and there are no candidates
    rule = ensemble.combine.kind.replace("_", " ")
    print_line(out, "")
    print_line(out, f"{len(shown.candidates)} candidates by {ensemble.rank_by or 'score'}, {rule} of the votes:")
    found = console.table(("returned", "offer"), ("score", "revenue", "lowest vote", "highest vote"))
    for one in first:
        votes = [vote for vote in one.votes if vote is not None and not math.isnan(vote)]
        ends = (_number(min(votes)), _number(max(votes))) if votes else ("-", "-")
        place = "" if one.place is None else str(one.place)
        found.add_row(place, Text(one.offer or "-"), _number(one.score), _number(one.revenue), *ends)
    out.print(found)
    if len(first) < len(shown.candidates):
        print_line(out, f"and {len(shown.candidates) - len(first)} others; --top N shows more")
    if any(one.votes for one in first):
        print_line(out, "")
        out.print(_votes(shown, first[:MAX_COLUMNS]))


def _votes(shown: ShownDecision, candidates: Sequence[Candidate]) -> Table:
    found = console.table(("votes",), tuple(one.offer or "score" for one in candidates))
    for at, name in enumerate(shown.ensemble.names if shown.ensemble else ()):
        votes = (_number(one.votes[at] if one.votes else None) for one in candidates)
        found.add_row(Text(name), *votes)
    return found


def _print_inputs(out: Console, shown: ShownDecision) -> None:
    of_offer = "" if shown.input_offer is None else f" of {shown.input_offer}"
    print_line(out, "")
    print_line(out, f"{len(shown.inputs)} inputs{of_offer}:")
    found = console.table(("feature", "value", "from"))
    for name, one in shown.inputs.items():
        found.add_row(Text(name), Text(str(one)), shown.sources[name])
    out.print(found)


def _outcomes(outcomes: Sequence[Mapping[str, Any]]) -> Table:
    found = console.table(("outcome", "time", "offer"), ("value",))
    for one in outcomes:
        value = "-" if one["value"] is None else f"{one['value']:.2f} {one['currency'] or ''}".strip()
        found.add_row(one["kind"], f"{one['time']:%Y-%m-%d %H:%M:%S} UTC", Text(one["offer"] or "the first"), value)
    return found


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.6g}"
