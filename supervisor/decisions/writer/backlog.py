"""Frames that are not written yet, within a bound: the oldest are dropped for new ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from supervisor.decisions.channel import Frame


class Load(NamedTuple):
    """An amount of records and their size in memory."""

    records: int = 0
    size_bytes: int = 0


class Backlog:
    """Frames in the order of their arrival, at most `max_bytes` with the load `aside`, which is being written."""

    def __init__(self, max_bytes: int, clock: Callable[[], float]) -> None:
        self.aside = Load()
        self._max_bytes = max_bytes
        self._clock = clock
        self._frames: deque[tuple[float, Frame]] = deque()
        self._waiting = Load()

    @property
    def waiting_bytes(self) -> int:
        """The size of the frames that wait."""
        return self._waiting.size_bytes

    @property
    def held(self) -> Load:
        """All that is not written."""
        return Load(self._waiting.records + self.aside.records, self._waiting.size_bytes + self.aside.size_bytes)

    @property
    def oldest_s(self) -> float | None:
        """When the oldest waiting frame arrived; None if no frame waits."""
        return self._frames[0][0] if self._frames else None

    def add(self, frame: Frame) -> int:
        """Adds a frame and drops the oldest ones above the bound; returns the number of records that it drops."""
        self._frames.append((self._clock(), frame))
        self._count(frame, 1)
        dropped = 0
        while self._frames and self.held.size_bytes > self._max_bytes:
            dropped += self._pop().records
        return dropped

    def take(self, up_to_bytes: int) -> list[Frame]:
        """Takes the oldest frames, at least one if any waits, and puts their load aside."""
        taken: list[Frame] = []
        size_bytes = 0
        while self._frames and (not taken or size_bytes + len(self._frames[0][1].content) <= up_to_bytes):
            taken.append(self._pop())
            size_bytes += len(taken[-1].content)
        self.aside = Load(sum(frame.records for frame in taken), size_bytes)
        return taken

    def _pop(self) -> Frame:
        _, frame = self._frames.popleft()
        self._count(frame, -1)
        return frame

    def _count(self, frame: Frame, sign: int) -> None:
        records, size_bytes = self._waiting
        self._waiting = Load(records + sign * frame.records, size_bytes + sign * len(frame.content))
