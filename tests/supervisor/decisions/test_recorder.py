"""The recorder: references until a block is made, copies of votes that may change, and the bound of its memory."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from supervisor.answers import Answer, PlayerRead, Reason, ReasonWord, Source
from supervisor.ballot import Ballot
from supervisor.decisions.pending import voted_of
from supervisor.decisions.recorder import FULL, GameRecorder, VersionRecorder
from supervisor.decisions.version_log import VersionLog
from supervisor.party import Seat, Settled
from supervisor.rows import CohortRows
from supervisor.ticket import Ticket

LOG = cast(VersionLog, SimpleNamespace(name="v1"))
REFUSED = Answer(Source.FALLBACK, Reason(ReasonWord.OVERLOADED, "busy"))
FEW_VOTES = Answer(Source.FALLBACK, Reason(ReasonWord.QUORUM, "1 of the 2 votes needed"))
SCORED = Answer(Source.ENSEMBLE, None, score=0.5)


def settled(is_complete: bool, requests: int = 2) -> Settled:
    """Requests 1 to `requests` of a party with two models and a row for each request."""
    ballot = Ballot(("a", "b"), requests + 1, 1, lambda: None)
    ballot.votes[0] = 0.5
    if is_complete:
        ballot.done.set_result(None)
    tickets: list[Any] = [SimpleNamespace(player_id=f"p{number}") for number in range(1, requests + 1)]
    seats = [Seat(ticket, slice(row, row + 1), PlayerRead(None)) for row, ticket in enumerate(tickets, 1)]
    rows = cast(CohortRows, SimpleNamespace(size_bytes=0, passengers=tickets))
    return Settled(seats, (), [SCORED] * requests, rows, ballot, 0.01)


async def test_votes_that_may_still_change_are_copied() -> None:
    party = settled(is_complete=False)
    voted = voted_of(LOG, party)
    party.ballot.votes[1] = 0.9
    party.ballot.files[1] = "new"
    assert voted.first == 1
    assert np.isnan(voted.votes[1]).all()
    assert voted.votes[0].tolist() == [0.5, 0.5]
    assert voted.files == ("", "")


async def test_complete_votes_are_not_copied() -> None:
    party = settled(is_complete=True)
    assert voted_of(LOG, party).votes is party.ballot.votes


async def test_only_answers_that_no_votes_made_are_recorded_one_by_one() -> None:
    game = GameRecorder("g")
    game.allow(2**20)
    recorder = VersionRecorder(LOG, game)
    ticket = cast(Ticket, SimpleNamespace())
    for answer in (REFUSED, FEW_VOTES, SCORED):
        recorder.record(ticket, answer)
    game.take(0)
    assert [one.answer for one in game.take(0).unvoted] == [REFUSED]


async def test_records_rest_until_their_answers_have_gone_to_the_callers() -> None:
    game = GameRecorder("g")
    game.allow(2**20)
    VersionRecorder(LOG, game).settled(settled(is_complete=True))
    assert not game.take(3).records
    assert not game.take(2).records
    assert game.take(0).records == 2
    assert not game.take(0).records
    assert game.size_bytes == 0


async def test_full_recorder_drops_and_counts() -> None:
    game = GameRecorder("g")
    game.allow(4 * 3000)  # room for about one request
    recorder = VersionRecorder(LOG, game)
    for _ in range(3):
        recorder.settled(settled(is_complete=True))
    assert game.dropped == {FULL: 4}
    assert not game.record_outcome(cast(Any, SimpleNamespace()))
    await asyncio.sleep(0)


async def test_requests_that_are_answered_one_by_one_count_their_rows_once() -> None:
    party = settled(is_complete=False, requests=8)
    rows = cast(CohortRows, SimpleNamespace(size_bytes=8 * 10_000, passengers=party.seats))
    alone = [party._replace(seats=[seat], rows=rows) for seat in party.seats]
    together = voted_of(LOG, party._replace(rows=rows)).size_bytes
    assert sum(voted_of(LOG, one).size_bytes for one in alone) == together
