"""The columns of the log that have one value for each answer, column by column; a column without values is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mesh.decisions.block import DecisionBlock
from supervisor.answers import Answer, Reason, ReasonWord, Source
from supervisor.decisions.pending import Unvoted
from supervisor.decisions.version_log import VersionLog
from supervisor.ticket import Ticket

Columns = dict[str, Any]
_NAMES = {source: source.name for source in Source}  # the property `name` takes five times as long
_context_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def unvoted_block(entries: Sequence[Unvoted], supervisor: str, epoch_s: float) -> DecisionBlock:
    """Returns the block of requests of one version whose models were not asked."""
    log = entries[0].log
    constants = {"supervisor": supervisor, "version": log.name}
    columns = columns_of(log, [one.ticket for one in entries], [one.answer for one in entries], epoch_s)
    return DecisionBlock(log.game, len(entries), constants, columns)


def columns_of(log: VersionLog, tickets: Sequence[Ticket], answers: Sequence[Answer], epoch_s: float) -> Columns:
    """Returns the columns of answered requests. `epoch_s` is the time.time() at which the monotonic clock was 0."""
    given = dict(zip(Answer._fields, zip(*answers, strict=True), strict=True))
    return {
        **_of_requests(log, tickets, epoch_s),
        **_of_offers(log, tickets, given["offers"]),
        **_of_answers(log, given),
        **_times(tickets, given["timings"]),
    }


def _of_requests(log: VersionLog, tickets: Sequence[Ticket], epoch_s: float) -> Columns:
    admitted_s = np.array([ticket.admitted_s for ticket in tickets])
    columns: Columns = {
        "decision_id": [ticket.decision_id for ticket in tickets],
        "time": ((admitted_s + epoch_s) * 1e6).astype(np.int64),
        "pinned": [ticket.is_pinned for ticket in tickets],
    }
    if not log.excludes("player"):
        players = [ticket.player_id for ticket in tickets]
        columns["player"] = players if log.key is None else [log.player(player) for player in players]
    if not log.excludes("request_id"):
        columns["request_id"] = [ticket.request_id or None for ticket in tickets]
    if not log.excludes("caller"):
        columns["caller"] = [ticket.caller for ticket in tickets]
    if not log.excludes("context"):
        contexts = [ticket.passenger.context for ticket in tickets]
        columns["context"] = [_context(log, context) if context else None for context in contexts]
    return _without_nulls(columns)


def _context(log: VersionLog, given: Mapping[str, Any]) -> str | None:
    context: dict[str, Any] = dict(given)
    for name in log.hidden & context.keys():
        del context[name]
    for name in log.booleans & context.keys():
        context[name] = bool(context[name])
    return _context_json(context) if context else None


def _of_offers(log: VersionLog, tickets: Sequence[Ticket], offers: Sequence[Sequence[Any]]) -> Columns:
    """The method, and the offers in the response: of Score, the offer that is scored."""
    is_score = [ticket.scored_row is not None for ticket in tickets]
    returned = [[offer[0] for offer in best] for best in offers]
    if not any(is_score):
        return {
            "method": ["GetOffer"] * len(tickets),
            "limit": [ticket.limit for ticket in tickets],
            "offers": returned,
        }
    for place, ticket in enumerate(tickets):
        if ticket.scored_row is not None:
            returned[place] = _scored_offer(log, ticket, ticket.scored_row)
    return {
        "method": ["Score" if one else "GetOffer" for one in is_score],
        "limit": [None if ticket.scored_row is not None else ticket.limit for ticket in tickets],
        "offers": [names or None for names in returned],
    }


def _scored_offer(log: VersionLog, ticket: Ticket, row: int) -> list[str]:
    return [log.offers.ids[ticket.passenger.offers[row]]] if log.offers is not None else []


def _of_answers(log: VersionLog, given: Columns) -> Columns:
    reasons, gaps = given["reason"], given["gaps"]
    return _without_nulls(
        {
            "score": given["score"],
            "explored": given["explored"],
            "propensity": given["propensity"],
            "source": [_NAMES[source] for source in given["source"]],
            "reason": [None if reason is None else reason.word.value for reason in reasons],
            "detail": [None if reason is None else _detail(log, reason) for reason in reasons],
            "missing_models": [[model for model, _ in missing] if missing else None for missing in given["missing"]],
            "missing_inputs": [one.missing or None for one in gaps],
            "unseen_inputs": [one.unseen or None for one in gaps],
            "unknown_player": given["unknown_player"],
            "features_age_ms": [None if age_s is None else 1000 * age_s for age_s in given["features_age_s"]],
            "version_digest": [digest or None for digest in given["version_digest"]],
        }
    )


def _detail(log: VersionLog, reason: Reason) -> str | None:
    """The text of a reason. That of a store's error may name the player, or a value of a feature."""
    return None if reason.word is ReasonWord.FEATURES and log.hides_inputs else reason.detail


def _times(tickets: Sequence[Ticket], timings: Sequence[Any]) -> Columns:
    *stages, last_models = zip(*timings, strict=True)
    names = ("queue_ms", "features_ms", "fan_out_ms", "combine_ms", "total_ms")
    seconds = np.array([*stages, [ticket.total_s for ticket in tickets]])
    times = dict(zip(names, (1000 * seconds).astype(np.float32), strict=True))
    return {**times, **_without_nulls({"last_model": [model or None for model in last_models]})}


def _without_nulls(columns: Columns) -> Columns:
    """Leaves out the columns that have no value."""
    return {name: values for name, values in columns.items() if name == "time" or values.count(None) < len(values)}
