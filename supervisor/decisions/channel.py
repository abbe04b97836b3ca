"""The channel between a supervisor and the writer of one game's log: messages over a Unix socket pair.

A message is a header (UINT32 length and UINT32 number of records, little-endian) and a pickle. The supervisor sends
first a `Destination`, and then `SideFile`, `DecisionBlock` and `OutcomeBlock`; the writer sends `WriterReport`. The end
of the stream makes the writer finish its files and end, also if the supervisor was killed.

The supervisor starts `python -m supervisor.decisions.writer --fd FD --log-level LEVEL`.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from mesh.decisions.block import DecisionBlock, OutcomeBlock, SideFile

_HEADER = struct.Struct("<II")
_READ_BYTES = 2**16
_PARTS = 2  # in one call of the kernel: header and content


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the log of a game goes: the first message to a writer. A change starts another writer.

    `to` is an absolute folder or `s3://bucket/prefix`. A record is at most `flush_s` old when it is in a complete file.
    The writer keeps at most `max_bytes` of blocks in memory, and drops the others. After the last message, it has
    `stop_s` to finish.
    """

    game: str
    to: str
    flush_s: float
    max_bytes: int
    stop_s: float


@dataclass(frozen=True, slots=True)
class WriterReport:
    """The work of a writer since its start; it is sent at least once a second while the writer holds records.

    `written` and `dropped` (by reason) count decisions and outcomes together; `held` are records that the writer holds
    in memory, `held_bytes` their size. `flushed_s` is the time.time() of the last complete file, `failure` why the last
    attempt to write failed; None after a success.
    """

    written: int = 0
    files: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    held: int = 0
    held_bytes: int = 0
    flushed_s: float | None = None
    failure: str | None = None


Message = Destination | SideFile | DecisionBlock | OutcomeBlock | WriterReport


class Frame(NamedTuple):
    """A block as it travels: the number of its records, and its pickle."""

    records: int
    content: bytes | bytearray

    def block(self) -> DecisionBlock | OutcomeBlock:
        """Returns the block."""
        block: DecisionBlock | OutcomeBlock = pickle.loads(self.content)
        return block


def encode(message: Message) -> bytes:
    """Returns a message as it travels on the channel."""
    return b"".join(encoded_parts(message))


def encoded_parts(message: Message) -> tuple[bytes, bytes]:
    """Returns the header and the content of a message: a large content is not copied once more."""
    content = pickle.dumps(message, protocol=5)
    records = {DecisionBlock: "requests", OutcomeBlock: "outcomes"}.get(type(message))
    return _HEADER.pack(len(content), getattr(message, records) if records else 0), content


class WriterEnd:
    """The writer's end of the channel, on the file descriptor that it has inherited."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end

    @classmethod
    async def open(cls, descriptor: int) -> WriterEnd:
        """Returns the end on `descriptor`."""
        return cls(socket.socket(fileno=descriptor))

    async def receive(self) -> AsyncIterator[Destination | SideFile | Frame]:
        """Yields the messages until the supervisor has sent its last one, or has ended. Drops a torn last message.

        Blocks stay pickled. A message without records, such as an empty block, is not a frame.
        """
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size, records = _HEADER.unpack(await self._read(_HEADER.size))
                content = await self._read(size)
                yield Frame(records, content) if records else pickle.loads(content)

    def report(self, report: WriterReport) -> None:
        """Sends a report; drops it if the supervisor has ended, or has not read the last ones."""
        encoded = encode(report)
        with contextlib.suppress(OSError):
            if self._socket.send(encoded) < len(encoded):
                self._socket.shutdown(socket.SHUT_WR)  # the rest would be read as another message

    def close(self) -> None:
        """Closes the channel."""
        self._socket.close()

    async def _read(self, size: int) -> bytearray:
        """Reads into one buffer: a stream of asyncio copies each byte three times. Raises IncompleteReadError."""
        content = bytearray(size)
        rest = memoryview(content)
        while rest:
            received = await asyncio.get_running_loop().sock_recv_into(self._socket, rest)
            if not received:
                raise asyncio.IncompleteReadError(b"", size)
            rest = rest[received:]
        return content


class SupervisorEnd:
    """The supervisor's end of the channel to one writer. It never blocks: messages wait in a queue.

    `on_report` receives the reports of the writer. `on_end` is called once, when the writer has ended.
    """

    def __init__(
        self, end: socket.socket, on_report: Callable[[WriterReport], None], on_end: Callable[[], None]
    ) -> None:
        end.setblocking(False)
        self._socket = end
        self._on_report = on_report
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[memoryview] = deque()
        self._is_writing = False
        self._is_last = False  # no message will follow those that wait
        self._is_closed = False
        self._received = bytearray()
        self.waiting_bytes = 0
        self._loop.add_reader(end, self._read)

    def send(self, *parts: bytes) -> None:
        """Queues an encoded message. The caller bounds the queue by `waiting_bytes`."""
        if self._is_closed or self._is_last:
            return
        self._waiting += map(memoryview, parts)
        self.waiting_bytes += sum(map(len, parts))
        if not self._is_writing:
            self._write()

    def finish(self) -> None:
        """Ends the stream after the messages that wait; the writer then finishes its files and ends."""
        self._is_last = True
        if not self._is_writing and not self._is_closed:
            self._write()

    def close(self) -> None:
        """Closes the channel at once; messages that wait are lost."""
        if self._is_closed:
            return
        self._is_closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._waiting.clear()
        self.waiting_bytes = 0

    def _write(self) -> None:
        """Sends a part of what waits. The loop calls this method again while messages wait."""
        try:
            if self._waiting:
                self._forget(self._socket.sendmsg([*islice(self._waiting, _PARTS)]))
        except BlockingIOError:
            pass
        except OSError:
            self._end()
            return
        if not self._waiting and self._is_last:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        self._watch(bool(self._waiting))

    def _forget(self, sent: int) -> None:
        self.waiting_bytes -= sent
        while self._waiting and sent >= len(self._waiting[0]):
            sent -= len(self._waiting.popleft())
        if sent:
            self._waiting[0] = self._waiting[0][sent:]

    def _watch(self, is_writing: bool) -> None:
        if is_writing and not self._is_writing:
            self._loop.add_writer(self._socket, self._write)
        elif self._is_writing and not is_writing:
            self._loop.remove_writer(self._socket)
        self._is_writing = is_writing

    def _read(self) -> None:
        try:
            received = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            self._end()
            return
        self._received += received
        while len(self._received) >= _HEADER.size:
            end = _HEADER.size + _HEADER.unpack_from(self._received)[0]
            if len(self._received) < end:
                return
            report = pickle.loads(self._received[_HEADER.size : end])
            del self._received[:end]
            self._on_report(report)

    def _end(self) -> None:
        if not self._is_closed:
            self.close()
            self._on_end()
