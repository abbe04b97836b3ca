"""Blocks of requests whose models were asked: candidates, scores, votes and rows, bit by bit as they were used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesh.decisions.block import DecisionBlock, Rows
from supervisor.answers import Answer, Source
from supervisor.decisions.columns import columns_of
from supervisor.decisions.pending import Voted
from supervisor.decisions.version_log import VersionLog
from supervisor.rows import RowPlan, is_whole_table
from supervisor.ticket import Ticket
from supervisor.vote_count import VoteCount

_FEW = 4  # if the candidates are fewer than one in so many offers, a block names only the offers that occur in it


class EnsembleRef(NamedTuple):
    """The names of the side files of some model files: of the ensemble, and of each of its row plans."""

    ensemble: str
    layouts: tuple[tuple[RowPlan, str], ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """The logged requests of one `Voted`: their `votes` [models, candidates] and their `places` in the party."""

    voted: Voted
    tickets: Sequence[Ticket]
    answers: Sequence[Answer]
    counts: Sequence[VoteCount]
    votes: NDArray[np.float64]
    places: NDArray[np.intp] | None  # None: all of them


def voted_block(voted: Sequence[Voted], of: EnsembleRef, supervisor: str, epoch_s: float) -> DecisionBlock | None:
    """Returns the block of requests of one version and of the same model files; None if none of them is logged."""
    log = voted[0].log
    parts = [part for one in voted if (part := _part(one)) is not None]
    if not parts:
        return None
    tickets = list(chain.from_iterable(part.tickets for part in parts))
    answers = list(chain.from_iterable(part.answers for part in parts))
    counts = [ticket.passenger.rows for ticket in tickets]
    constants = {"supervisor": supervisor, "version": log.name, "ensemble": of.ensemble}
    votes = np.concatenate([part.votes for part in parts], axis=1) if len(parts) > 1 else parts[0].votes
    block = DecisionBlock(
        log.game,
        len(tickets),
        constants,
        columns_of(log, tickets, answers, epoch_s),
        counts,
        log.offers.ids if log.offers is not None else (),
        None,
        _scores(parts, counts),
        log.prices,
        len(votes) if log.block.votes != "none" else 0,
        votes.tobytes() if log.block.votes != "none" else None,
        _returned(log, tickets, answers, counts) if log.block.votes == "top" else None,
        tuple(_rows(log, parts, of)) if log.block.features else (),
    )
    return _with_picks(block, tickets)


def _part(voted: Voted) -> _Part | None:
    """The requests that are logged: not those of callers that left, nor of players outside the sample."""
    log, seats, answers, counts = voted.log, voted.seats, voted.answers, voted.counts
    tickets = [seat.ticket for seat in seats]
    has_all = log.has_all
    kept = [
        place
        for place, ticket in enumerate(tickets)
        if ticket.total_s is not None and (has_all or log.samples(ticket.player_id))
    ]
    if not kept:
        return None
    if len(kept) < len(seats):
        tickets = [tickets[place] for place in kept]
        seats = [seats[place] for place in kept]
        answers = [answers[place] for place in kept]
        counts = [counts[place] for place in kept]
    spans = [seat.span for seat in seats]
    is_whole = sum([span.stop - span.start for span in spans]) == voted.votes.shape[1]
    votes = voted.votes if is_whole else _votes(voted, spans)
    if any([count.missing for count in counts]):  # noqa: C419 (a list is faster)
        votes = _counted(votes, counts, spans)
    is_party = len(seats) == len(voted.rows.passengers)
    places = None if is_party else np.searchsorted(voted.rows.bounds, [span.start for span in spans])
    return _Part(voted, tickets, answers, counts, votes, places)


def _votes(voted: Voted, spans: Sequence[slice]) -> NDArray[np.float64]:
    first = voted.first
    return np.concatenate([voted.votes[:, span.start - first : span.stop - first] for span in spans], axis=1)


def _counted(votes: NDArray[np.float64], counts: Sequence[VoteCount], spans: Sequence[slice]) -> NDArray[np.float64]:
    """Returns `votes` without the parts of votes that did not count: of a model that scored only some rows."""
    votes = votes.copy()
    start = 0
    for span, count in zip(spans, counts, strict=True):
        stop = start + span.stop - span.start
        if count.missing:
            partial = np.isnan(votes[:, start:stop]).any(axis=1)
            votes[partial, start:stop] = np.nan
        start = stop
    return votes


def _scores(parts: Sequence[_Part], counts: Sequence[int]) -> bytes | None:
    """The combined scores of all candidates, NaN for a request without a quorum; None if there are none."""
    pairs = chain.from_iterable(zip(part.counts, part.answers, strict=True) for part in parts)
    scores = [None if answer.source is Source.FALLBACK else count.scores for count, answer in pairs]
    if not any(one is not None for one in scores):
        return None
    filled = [np.full(rows, np.nan) if one is None else one for one, rows in zip(scores, counts, strict=True)]
    return np.concatenate(filled).tobytes()


def _rows(log: VersionLog, parts: Sequence[_Part], of: EnsembleRef) -> Iterator[Rows]:
    for plan, name in of.layouts:
        shared = [part.voted.rows.shared(plan) for part in parts]
        chosen = [rows if part.places is None else rows[part.places] for rows, part in zip(shared, parts, strict=True)]
        values = np.concatenate(chosen)
        hidden = [place for place, feature in enumerate(plan.header.feature_names) if feature in log.hidden]
        if hidden:
            values[:, hidden] = np.nan
        yield Rows(name, plan.width, values.tobytes())


def _returned(log: VersionLog, tickets: Sequence[Ticket], answers: Sequence[Answer], counts: Sequence[int]) -> bytes:
    """The returned offers of all requests, as positions among all candidates, ascending."""
    kept: list[int] = []
    start = 0
    for ticket, answer, rows in zip(tickets, answers, counts, strict=True):
        kept += sorted(start + place for place in _places(log, ticket, answer))
        start += rows
    return np.array(kept, "<u4").tobytes()


def _places(log: VersionLog, ticket: Ticket, answer: Answer) -> Iterator[int]:
    if answer.source is Source.FALLBACK:
        return
    if ticket.scored_row is not None:
        yield ticket.scored_row
        return
    if log.offers is not None:
        for offer in answer.offers:
            yield ticket.passenger.offers.index(log.offers.positions[offer.offer_id])


def _with_picks(block: DecisionBlock, tickets: Sequence[Ticket]) -> DecisionBlock:
    """Returns `block` with the candidates of requests that do not rank the whole table."""
    passengers = [ticket.passenger for ticket in tickets]
    if not block.offers or all(is_whole_table(passenger.offers) for passenger in passengers):
        return block
    picks = np.fromiter(chain.from_iterable(passenger.offers for passenger in passengers), "<u4")
    if len(picks) * _FEW > len(block.offers):
        return replace(block, picks=picks.tobytes())
    used, picks = np.unique(picks, return_inverse=True)
    prices = None if block.prices is None else np.frombuffer(block.prices, "<f8")[used].tobytes()
    offers = tuple(block.offers[place] for place in used.tolist())
    return replace(block, offers=offers, prices=prices, picks=picks.astype("<u4").tobytes())
