"""`python -m supervisor.decisions.writer --fd N`: writes the log of a game of the supervisor at the other end of N."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
import sys
from pathlib import Path

import pyarrow as pa

from mesh.back_off import BackOff
from mesh.decision_id import new_id
from mesh.logs.setup import log_to_stderr
from mesh.printable import one_line
from mesh.s3.address import SCHEME
from mesh.settings import LOG_FORMATS, LOG_LEVELS, Parser, WrongSettingsError, one_of, read, whole
from supervisor.decisions.channel import Destination, WriterEnd
from supervisor.decisions.writer.folder import FolderSink
from supervisor.decisions.writer.game_log import GameLog
from supervisor.decisions.writer.sink import Sink

# More than the supervisor's. With 19, it would get 1.5 % of a CPU beside a busy supervisor, and could not keep up.
NICENESS = 5
EXIT_MISCONFIGURED = 2
_REPORT_EVERY_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


def main(arguments: list[str]) -> int:
    parser = Parser("supervisor.decisions.writer", description="Writes the decision log of a game.")
    parser.add_argument("--fd", default="0", help="descriptor of the socket to the supervisor (default: %(default)s)")
    parser.add_argument("--log-level", default="info", help="debug, info, warning or error (default: %(default)s)")
    parser.add_argument("--log-format", default="text", help="text or json (default: %(default)s)")
    checks = {"fd": whole(0, 65535), "log_level": one_of(*LOG_LEVELS), "log_format": one_of(*LOG_FORMATS)}
    try:
        values = read(parser, checks, arguments)
    except WrongSettingsError as error:
        print(*map(one_line, error.faults), sep="\n", file=sys.stderr)
        return EXIT_MISCONFIGURED
    log_to_stderr(values["log_level"], values["log_format"])
    for name in ("aiobotocore", "botocore"):  # they log each new client
        logging.getLogger(name).setLevel(logging.WARNING)
    be_unobtrusive()
    asyncio.run(write(values["fd"]))
    return 0


def be_unobtrusive() -> None:
    """Leaves the CPU to the supervisor, and the end of this process to the end of its messages.

    A terminal and some init systems send their stop signal to both processes: the supervisor then drains, and this
    process must still write the last answers.
    """
    os.nice(NICENESS)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pa.set_memory_pool(pa.system_memory_pool())  # the other pools keep more memory, and page faults cost CPU
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


async def write(descriptor: int) -> None:
    """Writes the messages of the channel on `descriptor` until they end; the first one is the destination."""
    end = await WriterEnd.open(descriptor)
    messages = end.receive()
    destination = await anext(messages, None)
    if isinstance(destination, Destination):
        back_off = BackOff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S, random.uniform)
        log = GameLog(destination, open_sink(destination.to), back_off, new_file_name)
        reporting = asyncio.create_task(_report_always(end, log))
        await log.run(messages)
        reporting.cancel()
        end.report(log.report())
        end.close()


def open_sink(to: str) -> Sink:
    """Returns the sink of a destination; it connects when it writes."""
    if not to.startswith(SCHEME):
        return FolderSink(Path(to))
    from supervisor.decisions.writer.s3 import S3Sink  # here, because only this sink imports aiobotocore

    return S3Sink(to)


def new_file_name() -> str:
    """Returns a name that no other writer uses: the host, and an id that sorts by time."""
    return f"{socket.gethostname()}-{new_id()}"


async def _report_always(end: WriterEnd, log: GameLog) -> None:
    """Reports every second if something has changed."""
    last = None
    while True:
        await asyncio.sleep(_REPORT_EVERY_S)
        if (report := log.report()) != last:
            end.report(report)
            last = report


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # a thread may hang in a write to a dead disk
