"""Lists of candidates: who has them made ready, and who remembers which."""

from __future__ import annotations

import gc

import pytest

from mesh.errors import UnknownCandidates
from model_worker.candidates import ReadyLists, RememberedCandidates
from model_worker.forest import Candidates, CandidateTable
from tests.model_worker.fakes import GatedForest


def listed(*values: float) -> Candidates:
    return Candidates((), b"", len(values))


class Maker:
    """Makes lists ready, and counts."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, candidates: Candidates) -> CandidateTable:
        self.made.append(candidates.count)
        return GatedForest().table(candidates)


async def test_a_stream_remembers_the_last_candidates_that_came() -> None:
    stream = RememberedCandidates(ReadyLists(Maker()))
    first = await stream.named("a", listed(1))
    assert await stream.named("a", None) is first
    second = await stream.named("b", listed(1, 2))
    assert await stream.named("b", None) is second
    with pytest.raises(UnknownCandidates, match="this stream remembers the candidates 'b', not 'a'; send them along"):
        await stream.named("a", None)


async def test_before_any_came_a_name_means_nothing() -> None:
    with pytest.raises(UnknownCandidates, match="this stream remembers no candidates, not 'a'"):
        await RememberedCandidates(ReadyLists(Maker())).named("a", None)


async def test_streams_do_not_know_each_others_candidates() -> None:
    lists = ReadyLists(Maker())
    one, other = RememberedCandidates(lists), RememberedCandidates(lists)
    await one.named("a", listed(1))
    with pytest.raises(UnknownCandidates):
        await other.named("a", None)


async def test_a_list_that_several_streams_bring_is_made_ready_once() -> None:
    maker = Maker()
    lists = ReadyLists(maker)
    streams = [RememberedCandidates(lists) for _ in range(3)]
    ready = [await stream.named(name, listed(1)) for stream, name in zip(streams, "aab", strict=True)]
    assert maker.made == [1]
    assert ready[0] is ready[1] is ready[2]


async def test_a_list_that_no_stream_remembers_is_let_go() -> None:
    maker = Maker()
    stream = RememberedCandidates(ReadyLists(maker))
    for count in (1, 2, 1):
        await stream.named(str(count), listed(*range(count)))
        gc.collect()
    assert maker.made == [1, 2, 1]
