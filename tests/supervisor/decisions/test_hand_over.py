"""The hand-over of records: few blocks, and a bug in the log of one version leaves the others alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from supervisor.decisions import hand_over
from supervisor.decisions.hand_over import HandOver
from supervisor.decisions.pending import Pending
from supervisor.decisions.side_files import SideFiles

SEATS = 4


@dataclass(frozen=True, eq=False)
class FakeLog:
    """The log of a version."""

    name: str
    game: str = "g"


class FakeWriter:
    """Takes every block."""

    has_room = True

    def __init__(self) -> None:
        self.records: list[int] = []

    def send(self, _block: object, records: int) -> None:
        """Notes the number of records."""
        self.records.append(records)

    def add_side_file(self, file: object) -> None:
        """Takes a file."""


def alternating(parties: int) -> Pending:
    """Answers of two versions that share their cohorts."""
    logs = [FakeLog("v1"), FakeLog("v2")]
    voted = [
        SimpleNamespace(
            log=logs[number % 2], files=("sha",), plans=(None,), seats=[None] * SEATS, votes=SimpleNamespace(nbytes=8)
        )
        for number in range(parties)
    ]
    return Pending(cast(Any, voted))


def patch(monkeypatch: pytest.MonkeyPatch, broken: str | None = None) -> list[tuple[Any, ...]]:
    """Makes blocks without content; returns the arguments of each search for side files."""
    asked: list[tuple[Any, ...]] = []

    def side_files(*key: Any) -> Any:
        asked.append(key)
        return SideFiles(cast(Any, None), ())

    def block(voted: Sequence[Any], *_: object) -> Any:
        if voted[0].log.name == broken:
            raise ValueError("a bug")
        return SimpleNamespace(requests=sum(len(one.seats) for one in voted))

    monkeypatch.setattr(hand_over, "side_files", side_files)
    monkeypatch.setattr(hand_over, "voted_block", block)
    return asked


async def test_answers_of_versions_that_alternate_are_in_one_block_each(monkeypatch: pytest.MonkeyPatch) -> None:
    patch(monkeypatch)
    writer = FakeWriter()
    assert await HandOver("host", lambda _: cast(Any, writer)).work(alternating(20)) == 0
    assert writer.records == [10 * SEATS] * 2


async def test_bug_in_the_log_of_one_version_does_not_lose_the_answers_of_another(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    patch(monkeypatch, broken="v1")
    writer = FakeWriter()
    work = HandOver("host", lambda _: cast(Any, writer))
    for _ in range(3):
        assert await work.work(alternating(20)) == 10 * SEATS
    assert writer.records == [10 * SEATS] * 3
    assert len(caplog.records) == 1


async def test_side_files_of_many_versions_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = patch(monkeypatch)
    work = HandOver("host", lambda _: cast(Any, FakeWriter()))
    pending = alternating(20)
    for number, one in enumerate(pending.voted):
        cast(Any, one).files = (f"sha-{number}",)
    for _ in range(3):
        await work.work(pending)
    assert len(asked) == 20
