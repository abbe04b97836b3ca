"""One logged decision with the names that its record refers to: models, inputs, and outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mesh.decisions.log import Log
from mesh.decisions.side_files import Ensemble, SideFiles
from mesh.reference.explanation import EXCLUDED, Input
from mesh.reference.logged.candidate import inputs_of, rows_of, sources_of
from mesh.reference.ranking import ranked

_RETRIES = timedelta(minutes=10)  # a caller repeats a request within this time


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer with its votes in the order of the models. `place` is its place among the returned offers, from 1."""

    offer: str | None
    place: int | None
    score: float | None
    revenue: float | None
    votes: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ShownDecision:
    """A record of the log. `candidates` are in the order of the rule, best first; `inputs` are those of `input_offer`.

    `ensemble` is None if no models were asked. `outcomes` are rows of the table of outcomes, in the order of time.
    """

    record: Mapping[str, Any]
    ensemble: Ensemble | None
    candidates: tuple[Candidate, ...]
    input_offer: str | None
    inputs: Mapping[str, Input]
    sources: Mapping[str, str]
    outcomes: tuple[Mapping[str, Any], ...]


def read(log: Log, decision_id: str) -> ShownDecision | None:
    """Returns a decision of the log; None if the log does not have it.

    Raises Misconfigured if the id is not a UUIDv7 or the log is damaged, NotFound for missing side files.
    """
    record = log.decision(decision_id)
    if record is None:
        return None
    outcomes = _outcomes(log, record)
    if record["ensemble"] is None:
        return ShownDecision(record, None, (), None, {}, {}, outcomes)
    files = SideFiles(log, record["game"])
    ensemble = files.ensemble(record["ensemble"])
    candidates = _candidates(record, ensemble)
    offer = candidates[0].offer if candidates else None
    if record["offers"] and offer is not None:
        offer = record["offers"][0] if record["offers"][0] in record["candidates"] else offer
    rows = rows_of(files, ensemble, record, offer)
    inputs, sources = inputs_of(files, rows, record), sources_of(files, list(rows), record)
    inputs |= dict.fromkeys(ensemble.excluded & inputs.keys(), Input(None, EXCLUDED))
    return ShownDecision(record, ensemble, candidates, offer, inputs, sources, outcomes)


def as_json(shown: ShownDecision) -> dict[str, Any]:
    """Returns all of it, with times in ISO 8601."""
    models = [] if shown.ensemble is None else shown.ensemble.names
    hidden = ("rows", "votes", "scores", "revenues", "candidates")
    record = {name: _plain(value) for name, value in shown.record.items() if name not in hidden}
    return {
        **record,
        "candidates": [
            {
                "offer": one.offer,
                "place": one.place,
                "score": one.score,
                "revenue": one.revenue,
                "votes": dict(zip(models, one.votes, strict=False)),
            }
            for one in shown.candidates
        ],
        "input_offer": shown.input_offer,
        "inputs": {
            name: {"value": one.value, "note": one.note or None, "source": shown.sources[name]}
            for name, one in shown.inputs.items()
        },
        "outcomes": [{name: _plain(value) for name, value in one.items()} for one in shown.outcomes],
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _outcomes(log: Log, record: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The outcomes that belong to this decision, and not to another answer to the same request."""
    time, around = record["time"], _RETRIES if record["request_id"] else timedelta()
    found = log.outcomes_of_decisions(record["game"], time - around, time + around + timedelta(microseconds=1))
    rows = log.read(found).to_pylist()
    own = [row for row in rows if row["decision_id"] == record["decision_id"]]
    return tuple(sorted(own, key=lambda row: (row["time"], row["outcome_id"])))


def _candidates(record: Mapping[str, Any], ensemble: Ensemble) -> tuple[Candidate, ...]:
    offers = record["candidates"] or [None] * bool(record["scores"] or record["votes"])  # None: a game without offers
    scores = record["scores"] or [None] * len(offers)
    revenues = record["revenues"] or [None] * len(offers)
    votes, width = record["votes"] or [], len(ensemble.models)
    returned = {offer: place for place, offer in enumerate(record["offers"] or (), 1)}
    found = [
        Candidate(offer or None, returned.get(offer), score, revenue, tuple(votes[at * width : (at + 1) * width]))
        for at, (offer, score, revenue) in enumerate(zip(offers, scores, revenues, strict=True))
    ]
    return tuple(found[at] for at in _order(found, ensemble))


def _order(candidates: list[Candidate], ensemble: Ensemble) -> list[int]:
    scores = [-math.inf if one.score is None else one.score for one in candidates]
    if ensemble.rank_by == "expected_revenue" and any(one.revenue is not None for one in candidates):
        scores = [-math.inf if one.revenue is None else one.revenue for one in candidates]
    return ranked(scores)
