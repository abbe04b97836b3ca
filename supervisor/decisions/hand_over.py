"""Makes blocks of the records that wait, in slices so short that they delay no answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

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
KEPT_ENSEMBLES = 8  # of each game: a plan in use belongs to one of the latest
_Key = tuple[VersionLog, tuple[str, ...], tuple[RowPlan | None, ...]]
WriterOf = Callable[[VersionLog], WriterProcess]


class HandOver:
    """Hands the records of one game over to the writer of their log. `supervisor` is the name of this host."""

    def __init__(self, supervisor: str, writer_of: WriterOf) -> None:
        self._supervisor = supervisor
        self._writer_of = writer_of
        self._known: dict[_Key, SideFiles] = {}

    async def work(self, pending: Pending) -> None:
        """Hands over what `pending` has; gives way to the event loop after each slice."""
        epoch_s = time.time() - time.monotonic()
        for key, voted in groupby(pending.voted, lambda one: (one.log, one.files, one.plans)):
            for part in _slices(list(voted)):
                await self._send_voted(key, part, epoch_s)
                await asyncio.sleep(0)
        for log, entries in groupby(pending.unvoted, lambda one: one.log):
            found = [one for one in entries if log.samples(one.ticket.player_id)]
            for start in range(0, len(found), SLICE_REQUESTS):
                self._send_unvoted(log, found[start : start + SLICE_REQUESTS], epoch_s)
                await asyncio.sleep(0)

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
        files = self._known.get(key)
        if files is None:
            files = await asyncio.to_thread(side_files, *key)
            if len(self._known) >= KEPT_ENSEMBLES:
                self._known.clear()
            self._known[key] = files
        return files


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
