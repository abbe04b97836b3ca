"""Sends many reports on streams, and repeats those that a busy supervisor did not take."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import grpc

from mesh.back_off import BackOff
from mesh.cli.outcomes.file import Line
from mesh.errors import Unavailable
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc

BATCH = 1000  # reports on one stream
FIRST_PAUSE_S, LONGEST_PAUSE_S, MOST_FAILURES = 0.2, 5.0, 12  # then no report was taken for about 40 s
_AGAIN = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_AGAIN_CODES = {code.value[0] for code in _AGAIN}


class Fault(NamedTuple):
    """A report that was not taken, and will not be."""

    place: str
    message: str


@dataclass(slots=True)
class Result:
    """The counts of all reports; `faults` has the first ones that are wrong."""

    taken: int = 0
    duplicates: int = 0
    wrong: int = 0
    faults: list[Fault] = field(default_factory=list)

    def add_fault(self, place: str, message: str, most: int = 20) -> None:
        """Counts a wrong report."""
        self.wrong += 1
        if len(self.faults) < most:
            self.faults.append(Fault(place, message))


def send(
    stub: offers_pb2_grpc.OffersStub,
    lines: Iterable[Line],
    on_answer: Callable[[], object],
    sleep: Callable[[float], object] = time.sleep,
) -> Result:
    """Sends the reports of `lines`; calls `on_answer` for each line that needs no further attempt.

    Raises Unavailable if the supervisor takes no report for a while; the reports so far are in its log.
    """
    result = Result()
    readable = _readable(lines, result, on_answer)
    back_off = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, random.uniform)
    waiting: list[Line] = []
    while waiting := [*waiting, *islice(readable, BATCH - len(waiting))]:
        left, problem = _send_batch(stub, waiting, result, on_answer)
        if len(left) < len(waiting):
            back_off.reset()
        elif back_off.failures >= MOST_FAILURES:
            raise Unavailable(
                f"the supervisor takes no more outcomes: {problem}; {result.taken} were taken. Run the command again "
                "later: reports with equal outcome_id count once"
            )
        if left:
            sleep(back_off.next_s())
        waiting = left
    return result


def _readable(lines: Iterable[Line], result: Result, on_answer: Callable[[], object]) -> Iterator[Line]:
    for line in lines:
        if line.report is None:
            result.add_fault(line.place, line.fault)
            on_answer()
        else:
            yield line


def _send_batch(
    stub: offers_pb2_grpc.OffersStub, batch: list[Line], result: Result, on_answer: Callable[[], object]
) -> tuple[list[Line], str]:
    """Sends `batch` on one stream; returns the lines to send again, and the last problem of one of them."""
    again: list[Line] = []
    answered, problem = 0, ""
    try:
        for answer, line in zip(stub.StreamOutcomes(line.report for line in batch), batch, strict=False):
            answered += 1
            if answer.HasField("error") and answer.error.code in _AGAIN_CODES:
                again.append(line)
                problem = answer.error.message
                continue
            _count(line, answer, result)
            on_answer()
    except grpc.RpcError as error:
        if error.code() not in _AGAIN:
            raise
        problem = str(error.details())
    return [*again, *batch[answered:]], problem or "it ended the stream"


def _count(line: Line, answer: wire.ReportOutcomeResponse, result: Result) -> None:
    if answer.HasField("error"):
        result.add_fault(line.place, answer.error.message)
    elif answer.duplicate:
        result.duplicates += 1
    else:
        result.taken += 1
