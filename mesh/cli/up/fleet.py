"""All processes of one `mesh up`: the workers, the supervisor, and the file by which it finds them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from mesh.cli.up.child import Child
from mesh.cli.up.endpoints import EndpointsFile
from mesh.cli.up.plan import Options, Seat, supervisor_command, worker_command
from mesh.cli.up.restarts import Ended
from mesh.first_of import first_of
from mesh.process import Event

SUPERVISOR_DRAIN_S = 15.0  # longer than the longest budget of an answer
WORKER_DRAIN_S = 10.0

_MISCONFIGURED = 2


class Report(Protocol):
    """Who is told what happens in the fleet."""

    def changed(self, fleet: Fleet, /) -> None:
        """A process became ready, or ended."""
        ...

    def ended(self, child: Child, ended: Ended, pause_s: float, /) -> None:
        """A process ended by itself; it is started again after `pause_s`."""
        ...

    def back(self, child: Child, /) -> None:
        """A process that had ended is ready again."""
        ...

    def killed(self, child: Child, budget_s: float, /) -> None:
        """A process did not drain within `budget_s` and was killed."""
        ...


class Fleet:
    """The workers at `seats` and one supervisor for the catalogs `files`, kept running.

    `folder` takes their logs and the endpoints file. `failure` is set once the supervisor has said, before it
    ever served, that it cannot start with what it was given; `troubled` once any process ended by itself.
    """

    def __init__(
        self, files: Sequence[Path], seats: Sequence[Seat], options: Options, folder: Path, report: Report
    ) -> None:
        self._report = report
        self._changed = asyncio.Event()
        self._endpoints = EndpointsFile(folder / "endpoints.json", seats)
        self._tasks: dict[Child, asyncio.Task[None]] = {}
        self._were_ready: set[Child] = set()
        self._never_served = True
        command = supervisor_command(files, self._endpoints.path, options)
        self.supervisor = Child("supervisor", command, folder / "supervisor.log", self)
        self.workers = {seat: self._worker(seat, options, folder, number) for number, seat in enumerate(seats)}
        self._seats = {child: seat for seat, child in self.workers.items()}
        self.failure: tuple[str, ...] | None = None
        self.troubled = False

    def start(self, group: asyncio.TaskGroup) -> None:
        """Starts everything at once, the supervisor first: it serves fallbacks until the workers are there."""
        self._endpoints.write()
        for child in (self.supervisor, *self.workers.values()):
            self._tasks[child] = group.create_task(child.keep_running())

    async def settled(self) -> None:
        """Returns when the supervisor and every worker are ready, or refused; or when there is a failure."""
        while self.failure is None and not all(_is_settled(child) for child in self._tasks):
            self._changed.clear()
            await self._changed.wait()

    async def drain(self, hurry: asyncio.Event) -> None:
        """Ends the supervisor and then the workers, each in bounded time; at once when `hurry` is set."""
        for child in self._tasks:
            child.stay_down()
        await self._end([self.supervisor], SUPERVISOR_DRAIN_S, hurry)
        await self._end(self.workers.values(), WORKER_DRAIN_S, hurry)

    def child_is_ready(self, child: Child) -> None:
        """Tells the supervisor of a worker that serves, and the user of a process that is back."""
        if child in self._were_ready:
            self._report.back(child)
        self._were_ready.add(child)
        if child is self.supervisor:
            self._never_served = False
        elif child.ready is not None:
            self._endpoints.put(self._seats[child], lane_address_of(child.ready))
        self._tell()

    def child_has_ended(self, child: Child, ended: Ended, pause_s: float) -> None:
        """Tells the supervisor that a worker is gone; a supervisor that cannot start at all is a failure."""
        self.troubled = True
        if child is not self.supervisor:
            self._endpoints.put(self._seats[child], None)
        elif self._never_served and ended.code == _MISCONFIGURED:
            self.failure = ended.last_lines
        if self.failure is None:
            self._report.ended(child, ended, pause_s)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._report.changed(self)

    def _worker(self, seat: Seat, options: Options, folder: Path, number: int) -> Child:
        log = folder / f"{seat.name.replace('/', '.')}.log"
        socket = folder / f"{number}.sock"  # by number: the path of a Unix socket has room for a hundred letters
        return Child(seat.name, lambda _: worker_command(seat, options, socket), log, self)

    async def _end(self, children: Iterable[Child], budget_s: float, hurry: asyncio.Event) -> None:
        tasks = {self._tasks[child]: child for child in children}
        for child in tasks.values():
            child.end()
        for task in await _undone(tasks, budget_s, hurry):
            tasks[task].kill()
            if not hurry.is_set():
                self.troubled = True
                self._report.killed(tasks[task], budget_s)
        await asyncio.wait(tasks)


def address_of(ready: Event) -> str:
    """Where a worker serves."""
    return f"127.0.0.1:{ready['port']}"


def lane_address_of(ready: Event) -> str:
    """Where the supervisor's lane goes: a Unix socket where the worker has one."""
    return f"unix:{ready['socket']}" if "socket" in ready else address_of(ready)


def _is_settled(child: Child) -> bool:
    return child.state in ("ready", "refused")


async def _all(tasks: Collection[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def _undone(
    tasks: Collection[asyncio.Task[None]], budget_s: float, hurry: asyncio.Event
) -> set[asyncio.Task[None]]:
    """The tasks that are not done after `budget_s`, or when `hurry` is set."""
    await first_of(hurry.wait(), _all(tasks), within_s=budget_s)
    return {task for task in tasks if not task.done()}
