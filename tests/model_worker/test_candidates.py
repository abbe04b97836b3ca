"""Lists of candidates: their tables are made once, and each stream remembers its last list."""

from __future__ import annotations

import gc

import pytest

from mesh.errors import UnknownCandidates
from model_worker.candidates import StreamCandidates, TableCache
from model_worker.forest import Candidates, CandidateTable
from tests.model_worker.fakes import GatedForest


def listed(*values: float) -> Candidates:
    return Candidates((), b"", len(values))


class Maker:
    """Makes tables, and records the sizes of their lists."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, candidates: Candidates) -> CandidateTable:
        self.made.append(candidates.count)
        return GatedForest().table(candidates)


async def test_stream_remembers_its_last_candidates() -> None:
    stream = StreamCandidates(TableCache(Maker()))
    first = await stream.named("a", listed(1))
    assert await stream.named("a", None) is first
    second = await stream.named("b", listed(1, 2))
    assert await stream.named("b", None) is second
    with pytest.raises(UnknownCandidates, match="this stream remembers the candidates 'b', not 'a'; include"):
        await stream.named("a", None)


async def test_name_without_candidates_is_refused_on_a_new_stream() -> None:
    with pytest.raises(UnknownCandidates, match="this stream remembers no candidates, not 'a'"):
        await StreamCandidates(TableCache(Maker())).named("a", None)


async def test_streams_do_not_share_names_of_candidates() -> None:
    tables = TableCache(Maker())
    one, other = StreamCandidates(tables), StreamCandidates(tables)
    await one.named("a", listed(1))
    with pytest.raises(UnknownCandidates):
        await other.named("a", None)


async def test_table_of_a_list_is_made_once_for_several_streams() -> None:
    maker = Maker()
    tables = TableCache(maker)
    streams = [StreamCandidates(tables) for _ in range(3)]
    prepared = [await stream.named(name, listed(1)) for stream, name in zip(streams, "aab", strict=True)]
    assert maker.made == [1]
    assert prepared[0] is prepared[1] is prepared[2]


async def test_table_is_freed_when_no_stream_remembers_its_list() -> None:
    maker = Maker()
    stream = StreamCandidates(TableCache(maker))
    for count in (1, 2, 1):
        await stream.named(str(count), listed(*range(count)))
        gc.collect()
    assert maker.made == [1, 2, 1]
