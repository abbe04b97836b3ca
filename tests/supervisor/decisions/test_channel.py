"""The channel between a supervisor and its writer, over a real socket pair."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mesh.decisions.block import OutcomeBlock
from supervisor.decisions.channel import Destination, Frame, SupervisorEnd, WriterEnd, WriterReport, encode
from tests.supervisor.replica import until

DESTINATION = Destination("g", "/log", 30.0, 2**20, 5.0)


@dataclass
class Pair:
    """Both ends, and what the supervisor has received."""

    supervisor: SupervisorEnd
    writer: WriterEnd
    reports: list[WriterReport] = field(default_factory=list)
    ends: list[None] = field(default_factory=list)

    async def received(self) -> list[object]:
        self.supervisor.finish()
        found = [message async for message in self.writer.receive()]
        return [message.block() if isinstance(message, Frame) else message for message in found]


@contextlib.asynccontextmanager
async def a_pair() -> AsyncIterator[Pair]:
    ours, theirs = socket.socketpair()
    reports: list[WriterReport] = []
    ends: list[None] = []
    end = SupervisorEnd(ours, reports.append, lambda: ends.append(None))
    writer = await WriterEnd.open(theirs.detach())
    try:
        yield Pair(end, writer, reports, ends)
    finally:
        end.close()
        writer.close()
        await asyncio.sleep(0)


async def test_messages_arrive_in_order_also_large_ones() -> None:
    large = OutcomeBlock("g", 100_000, {"kind": [f"purchased {number}" for number in range(100_000)]})
    async with a_pair() as pair:
        for message in (DESTINATION, large, DESTINATION):
            pair.supervisor.send(encode(message))
        assert pair.supervisor.waiting_bytes > 0
        assert await pair.received() == [DESTINATION, large, DESTINATION]
        assert pair.supervisor.waiting_bytes == 0


async def test_frame_of_a_block_names_the_number_of_its_records() -> None:
    async with a_pair() as pair:
        pair.supervisor.send(encode(OutcomeBlock("g", 3, {})))
        pair.supervisor.finish()
        (frame,) = [message async for message in pair.writer.receive()]
        assert isinstance(frame, Frame)
        assert frame.records == 3


async def test_writer_that_does_not_read_never_blocks_the_supervisor() -> None:
    async with a_pair() as pair:
        for _ in range(10):
            pair.supervisor.send(bytes(2**20))
        assert pair.supervisor.waiting_bytes > 9 * 2**20


async def test_torn_last_message_is_dropped() -> None:
    async with a_pair() as pair:
        encoded = encode(DESTINATION)
        pair.supervisor.send(encoded + encoded[:-3])
        assert await pair.received() == [DESTINATION]


async def test_reports_of_the_writer_arrive() -> None:
    async with a_pair() as pair:
        for written in range(3):
            pair.writer.report(WriterReport(written))
        await until(lambda: len(pair.reports) == 3)
        assert [report.written for report in pair.reports] == [0, 1, 2]


async def test_end_of_the_writer_is_reported_once() -> None:
    async with a_pair() as pair:
        pair.writer.close()
        await until(lambda: bool(pair.ends))
        pair.supervisor.send(encode(DESTINATION))
        await asyncio.sleep(0)
        assert len(pair.ends) == 1


async def test_report_to_an_ended_supervisor_is_dropped() -> None:
    async with a_pair() as pair:
        pair.supervisor.close()
        assert [message async for message in pair.writer.receive()] == []
        pair.writer.report(WriterReport(1))
        pair.writer.report(WriterReport(2))
