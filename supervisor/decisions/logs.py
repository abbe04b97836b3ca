"""The decision logs of a supervisor: one for each game whose catalog has a `decisions` block."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mesh.catalog.catalog import Catalog
from mesh.catalog.decisions import Decisions
from mesh.catalog.offers_table import OffersTable
from supervisor.decisions.channel import Destination
from supervisor.decisions.hand_over import HandOver
from supervisor.decisions.recorder import GameRecorder, VersionRecorder
from supervisor.decisions.version_log import VersionLog, key_of, version_logs
from supervisor.decisions.writer_process import WriterProcess
from supervisor.panel import Panel

TICK_S = 0.05
# A block of few requests costs more for each. But what waits longer is not in the caches of the CPU any more.
ENOUGH, EVERY = 64, 5  # requests for a block; a smaller block at every fifth tick
STOP_S = 5.0  # for a writer to finish its files when the supervisor stops
WARN_S = 60.0
FAILED = "failed"
UNUSED_S = 15.0  # a writer that no catalog in force has named for so long gets no answers any more: budget_ms is less
_log = logging.getLogger("supervisor.decisions")


class Catalogued(Protocol):
    """A game with its catalog in force. `Game` implements it."""

    @property
    def catalog(self) -> Catalog:
        """The catalog."""
        ...


@dataclass(slots=True, eq=False)
class _Writer:
    process: WriterProcess
    task: asyncio.Task[None]
    used_s: float


class GameLog:
    """The log of one game, which stays when the catalog changes: its recorder, and a writer for each destination."""

    def __init__(self, game: str, log_words: Sequence[str]) -> None:
        self.game = game
        self.recorder = GameRecorder(game)
        self._written = 0  # by writers that have ended
        self._dropped: Counter[str] = Counter()  # by writers that have ended
        self._warned = 0
        self._warn_s = 0.0
        self._log_words = log_words
        self._writers: dict[Destination, _Writer] = {}
        self._ending: list[_Writer] = []  # they finish their files, and get no more records
        self._block: Decisions | None = None  # the last one in force
        self._hand_over = HandOver(socket.gethostname(), lambda log: self._writer(log.block).process)

    @property
    def written(self) -> int:
        """The records in complete files."""
        return self._written + sum(one.written for one in self.writers)

    @property
    def dropped(self) -> Counter[str]:
        """The records that were dropped, by reason. The thread of the metrics reads it, so it adds copies."""
        parts = [self._dropped, self.recorder.dropped, *(one.dropped for one in self.writers)]
        return sum((Counter(one) for one in parts), Counter[str]())

    @property
    def buffered_bytes(self) -> int:
        """The memory of records that are not written yet."""
        waiting = sum(one.waiting_bytes + one.report.held_bytes for one in self.writers)
        return self.recorder.size_bytes + waiting

    def flush_age_s(self, now_s: float) -> float:
        """Returns the time since the last complete file, if records wait since then or for a shorter time; else 0."""
        return max((now_s - one.waits_since_s for one in self.writers if one.waits_since_s is not None), default=0.0)

    @property
    def writers(self) -> list[WriterProcess]:
        """The writers that run: usually one, and for a moment two when the destination has changed."""
        return [one.process for one in (*self._writers.values(), *self._ending)]

    async def work(self, block: Decisions | None, least: int = 0) -> None:
        """Hands over what rests; `block` is that of the catalog in force. Ends the writers of earlier destinations.

        Newer records rest until the next call if `least` requests wait.
        """
        if block is not None:
            self.recorder.allow(block.max_bytes)
            self._writer(block)
            self._block = block
        pending = self.recorder.take(least)
        self.recorder.dropped[FAILED] += await self._hand_over.work(pending)
        if pending.outcomes and self._block is not None:  # also those that came just before the block was removed
            self._hand_over.send_outcomes(self._writer(self._block).process, pending.outcomes)
        self._end_unused()
        self._warn()

    async def close(self, block: Decisions | None) -> None:
        """Hands over the rest, and waits until the writers have finished their files."""
        for _ in range(2):  # the records that rest, and those that came last
            await asyncio.sleep(0)
            await self.work(block)
        for destination in list(self._writers):
            self._end(destination)
        await asyncio.gather(*(one.task for one in self._ending))
        self._forget_ended()

    def _writer(self, block: Decisions) -> _Writer:
        place = Destination(self.game, block.to, block.flush_s, block.max_bytes // 2, STOP_S)
        writer = self._writers.get(place)
        if writer is None:
            process = WriterProcess(place, block.max_bytes // 4, self._log_words)
            writer = self._writers[place] = _Writer(process, process.start(), 0.0)
        writer.used_s = time.monotonic()
        return writer

    def _end_unused(self) -> None:
        for destination, one in list(self._writers.items()):
            if time.monotonic() - one.used_s > UNUSED_S:
                self._end(destination)
        self._forget_ended()

    def _warn(self) -> None:
        """Logs that records are dropped, at most once in `WARN_S`."""
        dropped = self.dropped
        now_s = time.monotonic()
        if dropped.total() > self._warned and now_s >= self._warn_s:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(dropped.items()))
            count = dropped.total() - self._warned
            _log.warning(
                "%s: %d records are missing in the decision log; since the start: %s", self.game, count, reasons
            )
            self._warned, self._warn_s = dropped.total(), now_s + WARN_S

    def _end(self, destination: Destination) -> None:
        """Lets a writer finish. If its destination comes back meanwhile, the next records go to another writer."""
        one = self._writers.pop(destination)
        one.process.finish()
        self._ending.append(one)

    def _forget_ended(self) -> None:
        for one in [one for one in self._ending if one.task.done()]:
            self._ending.remove(one)
            self._written += one.process.written
            self._dropped.update(one.process.dropped)


class DecisionLogs:
    """The logs of all games, by name. `environment` has the key of the hashes of players, and
    `log_words` the options of the writers for their own logs."""

    def __init__(self, environment: Mapping[str, str], log_words: Sequence[str]) -> None:
        self._environment = environment
        self._log_words = log_words
        self._logs: dict[str, GameLog] = {}

    def recorders(
        self, catalog: Catalog, offers: OffersTable | None, panels: Mapping[str, Panel]
    ) -> dict[str, VersionRecorder]:
        """Returns the recorder of each version; empty if `catalog` has no log. Raises Misconfigured without a key."""
        key = key_of(catalog, self._environment)
        digests = {name: panel.digest for name, panel in panels.items()}
        logs: dict[str, VersionLog] = version_logs(catalog, offers, digests, key)
        if catalog.decisions is None:
            return {}
        game = self.of(catalog.game)
        game.recorder.allow(catalog.decisions.max_bytes)
        return {name: VersionRecorder(log, game.recorder) for name, log in logs.items()}

    def of(self, game: str) -> GameLog:
        """Returns the log of a game."""
        if game not in self._logs:
            self._logs[game] = GameLog(game, self._log_words)
        return self._logs[game]

    def all(self) -> list[GameLog]:
        """Returns the logs of all games."""
        return list(self._logs.values())

    @contextlib.asynccontextmanager
    async def writing(self, games: Mapping[str, Catalogued]) -> AsyncIterator[None]:
        """Writes the logs of `games` while the block lasts; then writes the rest."""
        stop = asyncio.Event()
        working = asyncio.create_task(self._work_until(stop, games))
        try:
            yield
        finally:
            stop.set()
            await working
            await asyncio.gather(*(log.close(_block_of(games, log.game)) for log in self.all()))

    async def _work_until(self, stop: asyncio.Event, games: Mapping[str, Catalogued]) -> None:
        ticks = 0
        while not stop.is_set():
            ticks += 1
            for log in self.all():
                await log.work(_block_of(games, log.game), ENOUGH if ticks % EVERY else 0)
            await asyncio.sleep(TICK_S)


def _block_of(games: Mapping[str, Catalogued], name: str) -> Decisions | None:
    return games[name].catalog.decisions if name in games else None
