"""Starts the writer process on a channel of the test, which plays the supervisor."""

from __future__ import annotations

import contextlib
import pickle
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from mesh.decisions.block import DecisionBlock, OutcomeBlock, SideFile
from supervisor.decisions.channel import Destination, WriterReport, encode

WITHIN_S = 60.0
_HEADER = struct.Struct("<II")
Message = DecisionBlock | OutcomeBlock | SideFile


@dataclass
class WriterProcess:
    """A running writer, and the supervisor's end of its channel."""

    process: subprocess.Popen[bytes]
    end: socket.socket
    reports: BinaryIO

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, *messages: Message) -> None:
        for message in messages:
            self.end.sendall(encode(message))

    def cut_off(self, message: Message) -> None:
        """Ends the channel as a killed supervisor does: in the middle of a message, without reading reports."""
        self.end.sendall(encode(message)[:-3])
        self.reports.close()
        self.end.close()

    def report(self, wanted: Callable[[WriterReport], bool]) -> WriterReport:
        """Waits for a report."""
        for report in self._reports():
            if wanted(report):
                return report
        raise AssertionError("the writer has ended")

    def finish(self) -> WriterReport:
        """Ends the messages; returns the last report when the process has ended without a failure."""
        self.end.shutdown(socket.SHUT_WR)
        *_, last = self._reports()
        assert self.ended() == 0
        return last

    def ended(self) -> int:
        return self.process.wait(WITHIN_S)

    def _reports(self) -> Iterator[WriterReport]:
        while header := self.reports.read(_HEADER.size):
            yield pickle.loads(self.reports.read(_HEADER.unpack(header)[0]))


@contextlib.contextmanager
def writer(
    to: str,
    flush_s: float = 600.0,
    max_bytes: int = 2**26,
    stop_s: float = 30.0,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Iterator[WriterProcess]:
    """Runs a writer of the game `arena`; kills it after the block. `before` are the words before its command."""
    ours, theirs = socket.socketpair()
    ours.settimeout(WITHIN_S)
    with ours, theirs:
        command = [*before, sys.executable, "-m", "supervisor.decisions.writer", "--fd", str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), env=environment)
        theirs.close()
        try:
            ours.sendall(encode(Destination("arena", to, flush_s, max_bytes, stop_s)))
            with ours.makefile("rb") as reports:
                yield WriterProcess(process, ours, reports)
        finally:
            process.kill()
            process.wait()
