"""Makes blocks of the records that wait, in slices so short that they delay no answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from mesh.decisions.block import DecisionBlock, OutcomeBlock
from supervisor.decisions.columns import unvoted_block
from supervisor.decisions.pending import Pending, Unvoted, Voted
from supervisor.decisions.side_files import SideFiles, side_files
from supervisor.decisions.version_log import VersionLog
from supervisor.decisions.voted_block import voted_block
from supervisor.decisions.writer_process import WriterProcess
from supervisor.outcomes.outcome import Outcome
from supervisor.rows import RowPlan

SLICE_REQUESTS = 128
SLICE_BYTES = 2**19
KEPT_ENSEMBLES = 64  # of each game: its versions, with the files that their models had in the last `KEPT_S`
KEPT_S = 15.0
QUIET_S = 60.0  # between two reports of a bug
_Key = tuple[VersionLog, tuple[str, ...], tuple[RowPlan | None, ...]]
WriterOf = Callable[[VersionLog], WriterProcess]
_Entry = TypeVar("_Entry")
_Group = TypeVar("_Group", bound=Hashable)
_log = logging.getLogger("supervisor.decisions")


class HandOver:
    """Hands the records of one game over to the writer of their log. `supervisor` is the name of this host."""

    def __init__(self, supervisor: str, writer_of: WriterOf) -> None:
        self._supervisor = supervisor
        self._writer_of = writer_of
        self._known: dict[_Key, SideFiles] = {}
        self._used_s: dict[_Key, float] = {}
        self._quiet_until_s = 0.0

    async def work(self, pending: Pending) -> int:
        """Hands over what `pending` has; gives way to the event loop after each slice.

        The records of each version are together, whatever the order of the answers, so that blocks are few. Returns the
        number of records that a bug kept out of their blocks.
        """
        epoch_s = time.time() - time.monotonic()
        failed = 0
        for key, voted in _grouped(pending.voted, lambda one: (one.log, one.files, one.plans)):
            for part in _slices(voted):
                try:
                    await self._send_voted(key, part, epoch_s)
                except Exception:  # a bug in the log must not end the answers, nor the log of another version
                    failed += self._failed(key[0], sum(len(one.seats) for one in part))
                await asyncio.sleep(0)
        for log, entries in _grouped(pending.unvoted, lambda one: one.log):
            found = [one for one in entries if log.samples(one.ticket.player_id)]
            for start in range(0, len(found), SLICE_REQUESTS):
                part_of = found[start : start + SLICE_REQUESTS]
                try:
                    self._send_unvoted(log, part_of, epoch_s)
                except Exception:
                    failed += self._failed(log, len(part_of))
                await asyncio.sleep(0)
        return failed

    def send_outcomes(self, writer: WriterProcess, outcomes: Sequence[Outcome]) -> None:
        """Hands outcomes over."""
        if outcomes:
            columns = dict(zip(Outcome._fields, map(list, zip(*outcomes, strict=True)), strict=True))
            writer.send(OutcomeBlock(writer.destination.game, len(outcomes), columns), len(outcomes))

    async def _send_voted(self, key: _Key, voted: Sequence[Voted], epoch_s: float) -> None:
        writer = self._writer_of(key[0])
        if not writer.has_room:  # without the work for a block that would be dropped
            writer.drop(sum(len(one.seats) for one in voted))
            return
        files = await self._side_files(key)
        for file in files.files:
            writer.add_side_file(file)
        self._send(writer, voted_block(voted, files.of, self._supervisor, epoch_s))

    def _send_unvoted(self, log: VersionLog, entries: Sequence[Unvoted], epoch_s: float) -> None:
        self._send(self._writer_of(log), unvoted_block(entries, self._supervisor, epoch_s))

    def _send(self, writer: WriterProcess, block: DecisionBlock | None) -> None:
        if block is not None:
            writer.send(block, block.requests)

    async def _side_files(self, key: _Key) -> SideFiles:
        files, now_s = self._known.get(key), time.monotonic()
        if files is None:
            self._forget_unused(now_s)
            files = self._shared(await asyncio.to_thread(side_files, *key))
            self._known[key] = files
        self._used_s[key] = now_s
        return files

    def _shared(self, files: SideFiles) -> SideFiles:
        """Returns `files` without a second copy of those that are known: a table of offers may be large."""
        known = {file.path: file for one in self._known.values() for file in one.files}
        return SideFiles(files.of, tuple(known.get(file.path, file) for file in files.files))

    def _forget_unused(self, now_s: float) -> None:
        for key in [key for key, used_s in self._used_s.items() if now_s - used_s > KEPT_S]:
            del self._known[key], self._used_s[key]
        if len(self._known) >= KEPT_ENSEMBLES:
            self._known.clear()
            self._used_s.clear()

    def _failed(self, log: VersionLog, records: int) -> int:
        """Reports the error that is being handled, at most once in `QUIET_S`; returns `records`."""
        now_s = time.monotonic()
        if now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + QUIET_S
            _log.exception("%s: answers of %s are missing in the decision log", log.game, log.name)
        return records


def _grouped(entries: Iterable[_Entry], group_of: Callable[[_Entry], _Group]) -> Iterator[tuple[_Group, list[_Entry]]]:
    """Yields the entries of each group: those of two versions alternate if the versions share cohorts."""
    groups: dict[_Group, list[_Entry]] = {}
    for entry in entries:
        groups.setdefault(group_of(entry), []).append(entry)
    yield from groups.items()


def _slices(voted: Sequence[Voted]) -> Iterator[Sequence[Voted]]:
    part: list[Voted] = []
    requests = size_bytes = 0
    for one in voted:
        if part and (requests + len(one.seats) > SLICE_REQUESTS or size_bytes + one.votes.nbytes > SLICE_BYTES):
            yield part
            part, requests, size_bytes = [], 0, 0
        part.append(one)
        requests += len(one.seats)
        size_bytes += one.votes.nbytes
    if part:
        yield part
