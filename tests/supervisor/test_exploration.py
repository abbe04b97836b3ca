"""Exploration in a supervisor: whose first offer is drawn, and what the answer says about it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from prometheus_client import generate_latest

from mesh.exploration import drawn
from mesh.wire import offers_pb2 as wire
from supervisor.answers import Answer
from supervisor.party import Settled
from supervisor.ticket import Ticket
from tests.supervisor.backend import Backend, backend
from tests.supervisor.replica import error_reply, rows_of, scores_reply, silent

ALL = "{kind: epsilon, share: 100, top: 2}"
OFFERS = ("gold", "silver", "starter")  # of the game, best first


class Answers:
    """A tap that keeps the answers with their tickets."""

    def __init__(self) -> None:
        self.kept: list[tuple[Ticket, Answer]] = []

    def settled(self, settled: Settled) -> None:
        self.kept += [(seat.ticket, answer) for seat, answer in zip(settled.seats, settled.answers, strict=True)]


def tapped(running: Backend) -> Answers:
    answers, ensemble = Answers(), running.game.ensembles["v1"]
    parts = ensemble.version
    object.__setattr__(parts, "taps", (*parts.taps, answers))
    return answers


def ids(answer: wire.GetOfferResponse) -> tuple[str, ...]:
    return tuple(offer.offer_id for offer in answer.offers)


async def test_drawn_offer_comes_first_and_the_others_keep_their_order(tmp_path: Path) -> None:
    async with backend(tmp_path, explore=ALL) as running:
        answers = await asyncio.gather(*(running.offer(limit=9) for _ in range(40)))
    assert {ids(answer) for answer in answers} == {OFFERS, ("silver", "gold", "starter")}
    for answer in answers:
        place = drawn([0.5, 0.5], answer.decision_id)
        assert ids(answer)[0] == OFFERS[place]
        assert answer.explored
        assert list(answer.offers) == sorted(answer.offers, key=lambda offer: ids(answer).index(offer.offer_id))


async def test_limit_counts_the_drawn_offer(tmp_path: Path) -> None:
    async with backend(tmp_path, explore=ALL) as running:
        answers = await asyncio.gather(*(running.offer(limit=1) for _ in range(40)))
        pairs = await asyncio.gather(*(running.offer(limit=2) for _ in range(40)))
    assert {ids(answer) for answer in answers} == {("gold",), ("silver",)}
    assert {ids(answer) for answer in pairs} == {("gold", "silver"), ("silver", "gold")}


async def test_answer_has_the_propensity_over_the_share(tmp_path: Path) -> None:
    async with backend(tmp_path, explore="{kind: epsilon, share: 40, top: 2}") as running:
        answers = tapped(running)
        await asyncio.gather(*(running.offer(player_id=f"p{number}") for number in range(60)))
    found = {(answer.explored, answer.offers[0].offer_id, answer.propensity) for _, answer in answers.kept}
    assert found == {(False, "gold", 0.8), (True, "gold", 0.8), (True, "silver", 0.2)}


async def test_player_outside_the_share_gets_the_best_offer_all_day(tmp_path: Path) -> None:
    async with backend(tmp_path, explore="{kind: epsilon, share: 50, top: 2}") as running:
        for player in (f"p{number}" for number in range(8)):
            answers = await asyncio.gather(*(running.offer(player_id=player) for _ in range(8)))
            assert len({answer.explored for answer in answers}) == 1
            assert answers[0].explored or {ids(answer) for answer in answers} == {("gold",)}


async def test_drawn_answers_are_counted(tmp_path: Path) -> None:
    async with backend(tmp_path, explore=ALL) as running:
        await asyncio.gather(*(running.offer() for _ in range(5)))
        page = generate_latest(running.metrics.registry).decode()
    assert 'mesh_explored_total{game="g",version="v1"} 5.0' in page


async def test_version_without_explore_draws_nothing(tmp_path: Path) -> None:
    async with backend(tmp_path) as running:
        answers = tapped(running)
        (answer,) = await asyncio.gather(running.offer())
        page = generate_latest(running.metrics.registry).decode()
    assert not answer.explored
    assert [(one.explored, one.propensity) for _, one in answers.kept] == [(False, 1.0)]
    assert 'mesh_explored_total{game="g",version="v1"} 0.0' in page


async def test_pinned_version_single_candidate_and_score_are_not_explored(tmp_path: Path) -> None:
    async with backend(tmp_path, explore=ALL) as running:
        answers = tapped(running)
        pinned = [await running.offer(version="v1") for _ in range(9)]
        alone = [await running.offer(offer_ids=["silver"]) for _ in range(3)]
        await running.stub.Score(wire.ScoreRequest(game="g", player_id="p1"), timeout=20)
    assert {(ids(answer), answer.explored) for answer in pinned} == {(("gold",), False)}
    assert {(ids(answer), answer.explored) for answer in alone} == {(("silver",), False)}
    assert [(answer.explored, answer.propensity) for _, answer in answers.kept] == [*[(False, 1.0)] * 12, (False, None)]


async def test_held_out_player_and_fallback_are_not_explored(tmp_path: Path) -> None:
    async with backend(tmp_path, explore=ALL, holdout=100) as running:
        assert not (await running.offer()).explored
    async with backend(tmp_path, explore=ALL, models=1) as running:
        answers = tapped(running)
        answer = await running.offer(timeout_s=1.0)
    assert (answer.source, answer.explored) == (wire.FALLBACK, False)
    assert [(one.explored, one.propensity) for _, one in answers.kept] == [(False, None)]


async def test_partial_answer_draws_only_models_that_voted(tmp_path: Path) -> None:
    async with backend(tmp_path, explore="{kind: thompson_votes, share: 100, top: 3}") as running:
        answers = tapped(running)
        running.replicas[0].respond = lambda request: [scores_reply(request, -np.nansum(rows_of(request), axis=1))]
        running.replicas[1].respond = lambda request: [error_reply(request, "out of order")]
        found = await asyncio.gather(*(running.offer() for _ in range(60)))
    assert {answer.source for answer in found} == {wire.PARTIAL}
    assert {ids(answer)[0] for answer in found} == {"gold", "starter"}
    assert {answer.propensity for _, answer in answers.kept} == {0.5}


async def test_answer_at_the_deadline_is_explored_with_the_votes_of_that_time(tmp_path: Path) -> None:
    async with backend(tmp_path, explore="{kind: thompson_votes, share: 100, top: 3}") as running:
        answers = tapped(running)
        await running.offer()
        running.replicas[2].respond = silent
        answer = await running.offer(timeout_s=0.6)
    assert (answer.source, answer.explored, ids(answer)) == (wire.PARTIAL, True, ("gold",))
    assert answers.kept[-1][1].propensity == 1.0  # both models that voted have the same best offer
