"""Versions that share models: one cohort carries the requests of several versions, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.answers import Answer, ReasonWord, Source
from supervisor.ballot import Ballot, ModelVote, Place
from supervisor.encoding import PlainMatrix
from supervisor.version_group import VersionGroup, group_versions
from tests.supervisor.simulated_replicas import SimulatedLane
from tests.supervisor.virtual_game import DEADLINE_S, OLD_AND_NEW, SHARED, World, use_virtual_clock, world
from tests.supervisor.virtual_time import in_virtual_time, now_s, settle


@pytest.fixture(autouse=True)
def _virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    use_virtual_clock(monkeypatch)


@in_virtual_time
async def test_shared_model_gets_the_rows_of_both_versions_in_one_message() -> None:
    async with world(OLD_AND_NEW) as game:
        await game.together(("old", 1), ("new", 2), ("old", 3), ("new", 4), ("new", 5))
        assert [game.sizes(model) for model in SHARED] == [[5], [5], [5]]
        assert (game.sizes("asia@old"), game.sizes("asia@new")) == ([2], [3])
        assert (game.records["old"].cohorts[-1], game.records["new"].cohorts[-1]) == ((2, 2), (3, 3))


@in_virtual_time
async def test_answers_are_those_of_each_version_alone() -> None:
    requests = [("new", 1), ("old", 2), ("new", 3), ("old", 4)]
    async with world(OLD_AND_NEW) as game:
        answers = await game.together(*requests)
        assert [answer.source for answer in answers] == [Source.ENSEMBLE] * 4
        assert [answer.score for answer in answers] == [game.score(*request) for request in requests]
        assert game.score("old", 1) != game.score("new", 1)


@in_virtual_time
async def test_slow_model_of_one_version_does_not_delay_the_answers_of_the_other() -> None:
    async with world(OLD_AND_NEW) as game:
        game.lanes["asia@new"].freeze()
        start_s = now_s()
        old, new = await game.depart(("old", 1), ("new", 2))
        whole = await old
        assert (whole.source, whole.score) == (Source.ENSEMBLE, game.score("old", 1))
        assert now_s() - start_s < 0.05
        partial = await new
        assert now_s() - start_s == pytest.approx(DEADLINE_S, abs=1e-3)
        assert [model for model, _ in partial.missing] == ["asia-new"]
        assert partial.score == game.score("new", 2, without=["asia@new"])


@in_virtual_time
async def test_version_without_a_quorum_does_not_hold_back_the_next_cohort_of_the_other() -> None:
    async with world(OLD_AND_NEW, quorum=4) as game:
        game.lanes["asia@new"].freeze()
        _, late = await game.depart(("old", 1), ("new", 2))
        start_s, game.holds = now_s(), True
        assert (await game.ask("old", 3)).source == Source.ENSEMBLE
        assert now_s() - start_s < 0.05
        assert str((await late).reason) == "quorum: 3 of the 4 votes needed"


@in_virtual_time
async def test_model_of_one_version_without_replicas_costs_the_other_nothing() -> None:
    async with world(OLD_AND_NEW) as game:
        game.lanes["asia@new"].break_down()
        old, new = await game.together(("old", 1), ("new", 2))
        assert (old.source, new.source) == (Source.ENSEMBLE, Source.PARTIAL)
        assert [model for model, _ in new.missing] == ["asia-new"]


@in_virtual_time
async def test_shared_model_that_fails_is_missing_in_the_answers_of_both_versions() -> None:
    async with world(OLD_AND_NEW) as game:
        game.lanes["pvp"].is_failing = True
        answers = await game.together(("old", 1), ("new", 2))
        assert [answer.missing for answer in answers] == [(("pvp", "broken"),)] * 2


@in_virtual_time
async def test_deadline_of_one_version_leaves_the_shared_votes_of_the_other() -> None:
    async with world(OLD_AND_NEW) as game:
        game.lanes["pvp"].freeze()
        hurried, patient = game.ask("new", 1, budget_s=0.05), game.ask("old", 2)
        assert [model for model, _ in (await hurried).missing] == ["pvp"]
        game.lanes["pvp"].thaw()
        assert (await patient).source == Source.ENSEMBLE


@in_virtual_time
async def test_versions_that_share_nothing_travel_apart() -> None:
    async with world({"old": ("a", "b"), "new": ("c", "d")}) as game:
        assert [list(group.versions) for group in game.groups] == [["old"], ["new"]]
        await game.together(("old", 1), ("new", 2))
        assert game.sizes("a") == game.sizes("c") == [1]


@in_virtual_time
async def test_version_between_two_that_share_a_model_divides_the_rows_of_that_model() -> None:
    async with world({"v1": ("x", "z"), "v2": ("x", "y"), "v3": ("y", "z")}) as game:
        assert [list(group.versions) for group in game.groups] == [["v1", "v2", "v3"]]
        requests = [("v3", 1), ("v2", 2), ("v1", 3), ("v1", 4)]
        answers = await game.together(*requests)
        assert [answer.score for answer in answers] == [game.score(*request) for request in requests]
        assert (game.sizes("x"), game.sizes("y"), game.sizes("z")) == ([3], [2], [2, 1])


@in_virtual_time
async def test_waiting_requests_are_counted_by_version() -> None:
    async with world(OLD_AND_NEW) as game:
        game.holds = True
        asked = [game.ask("old", 0)]
        await settle()
        asked += [game.ask(version, 1) for version in ("old", "new", "new")]
        await settle()
        route = game.ensembles["old"].route
        assert (game.cohorts.waiting(route, "old"), game.cohorts.waiting(route, "new")) == (1, 2)
        await asyncio.gather(*asked)
        assert (game.cohorts.waiting(route, "old"), game.cohorts.waiting(route, "new")) == (0, 0)


@in_virtual_time
async def test_backlog_of_one_version_refuses_no_request_of_the_other() -> None:
    async with world(OLD_AND_NEW, quorum=4) as game:
        game.lanes["asia@new"].freeze()
        game.pools["asia@new"]._generations.in_use.dealer.row_s = 0.2
        late = [game.ask("new", player) for player in range(2)]
        await asyncio.sleep(0.01)
        refused, whole = await asyncio.gather(game.ask("new", 3), game.ask("old", 4))
        assert (refused.reason and refused.reason.word) == ReasonWord.OVERLOADED
        assert whole.source == Source.ENSEMBLE
        await asyncio.gather(*late)


@in_virtual_time
async def test_rows_of_the_other_version_count_in_the_backlog_of_shared_models() -> None:
    async with world({"old": ("x", "y"), "new": ("y", "z")}, quorum=1) as game:
        (group,) = game.groups
        for pool in game.pools.values():
            pool._generations.in_use.dealer.row_s = 0.01
        game.lanes["z"].break_down()
        waiting = {"old": 10, "new": 3}
        assert group.backlogs["old"].time_s(waiting, 1) == pytest.approx(0.15)  # y: 14 rows, and one more time of a row
        game.lanes["y"].break_down()
        fresh = next(group_versions(group.versions, group.features, now_s))
        assert fresh.backlogs["old"].time_s(waiting, 1) == pytest.approx(0.12)  # x: 11 rows


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["v1", "v2", "v3"]),
        st.integers(1, 50),
        st.integers(1, 3),
        st.sampled_from([0.01, 0.05, 0.3]),
        st.sampled_from([0.0, 0.001, 0.02]),
    ),
    min_size=1,
    max_size=25,
)
FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "own1", "own2", "own3"]), st.sampled_from(["freeze", "break", "fail", "slow"])
    ),
    max_size=3,
)


@given(REQUESTS, FAULTS)
@in_virtual_time
async def test_every_request_gets_one_answer_of_its_own_version_by_its_deadline(
    requests: list[tuple[str, int, int, float, float]], faults: list[tuple[str, str]]
) -> None:
    versions = {"v1": ("a", "b", "own1"), "v2": ("own2", "b", "c"), "v3": ("c", "a", "own3")}
    with pytest.MonkeyPatch.context() as patch:
        use_virtual_clock(patch)
        async with world(versions, quorum=1) as game:
            for model, fault in faults:
                _break(game.lanes[model], fault)
            asked = []
            for version, player, rows, budget_s, pause_s in requests:
                asked.append((version, player, game.ask(version, player, rows, budget_s)))
                await asyncio.sleep(pause_s)
            for version, player, task in asked:
                _check(game, version, player, await task)
    for name, record in game.records.items():
        assert len(record.answers) == sum(version == name for version, *_ in requests)


def _break(lane: SimulatedLane, fault: str) -> None:
    if fault == "freeze":
        lane.freeze()
    elif fault == "break" and lane.state == "up":
        lane.break_down()
    elif fault == "fail":
        lane.is_failing = True
    else:
        lane.slowness = 30.0


def _check(game: World, version: str, player: int, answer: Answer) -> None:
    """An answer has the votes of the models of its version that are not missing."""
    if answer.source == Source.FALLBACK:
        return
    missing = [name for name, _ in answer.missing]
    assert answer.score == game.score(version, player, without=missing)


def _votes(*sizes: int) -> Iterator[Ballot]:
    first = 0
    for size in sizes:
        yield Ballot(["m"], size, 1, lambda: None, first=first)
        first += size


async def test_vote_of_a_shared_model_is_open_until_all_its_ballots_are_closed() -> None:
    ballots = list(_votes(1, 2))
    vote = ModelVote([Place(one, 0) for one in ballots], cast(PlainMatrix, None), 1, 0, 0.0)
    ballots[0].close()
    assert not vote.done.done()
    ballots[1].close()
    assert vote.done.result() is not None
    assert all(one.done.done() for one in ballots)


async def test_group_of_one_version_has_only_its_own_pools() -> None:
    async with asyncio.TaskGroup() as tasks:
        game = World({"v1": ("a", "b"), "v2": ("c",)}, 1, tasks)
        groups: list[VersionGroup] = game.groups
        assert [group.pools for group in groups] == [(game.pools["a"], game.pools["b"]), (game.pools["c"],)]
