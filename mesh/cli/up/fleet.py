"""The fleet of one `mesh up`: the workers, the supervisor, and the endpoints file that connects them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from mesh.cli.main import MISCONFIGURED
from mesh.cli.up.child import Child
from mesh.cli.up.endpoints import EndpointsFile
from mesh.cli.up.plan import Options, Replica, supervisor_command, worker_command
from mesh.cli.up.restarts import Exit
from mesh.first_of import first_of
from mesh.process import Event

SUPERVISOR_DRAIN_S = 15.0  # longer than the longest budget of an answer
WORKER_DRAIN_S = 10.0


class Report(Protocol):
    """Port of `Fleet`: receives the events that a user should see."""

    def changed(self, fleet: Fleet, /) -> None:
        """A process became ready, or ended."""
        ...

    def ended(self, child: Child, end: Exit, pause_s: float, /) -> None:
        """A process ended by itself; it starts again after `pause_s`."""
        ...

    def back(self, child: Child, /) -> None:
        """A process is ready again after a restart."""
        ...

    def killed(self, child: Child, budget_s: float, /) -> None:
        """A process did not drain within `budget_s` and was killed."""
        ...


class Fleet:
    """Keeps the workers `replicas` and one supervisor for the catalogs `files` running.

    `folder` contains their logs and the endpoints file. `failure` contains the supervisor's messages if it rejected its
    configuration before it was ever ready. `troubled` is set once a process ended by itself or had to be killed.
    """

    def __init__(
        self, files: Sequence[Path], replicas: Sequence[Replica], options: Options, folder: Path, report: Report
    ) -> None:
        self._report = report
        self._changed = asyncio.Event()
        self._endpoints = EndpointsFile(folder / "endpoints.json", replicas)
        self._tasks: dict[Child, asyncio.Task[None]] = {}
        self._were_ready: set[Child] = set()
        command = supervisor_command(files, self._endpoints.path, options)
        self.supervisor = Child("supervisor", command, folder / "supervisor.log", self)
        self.workers = {one: self._worker(one, options, folder, number) for number, one in enumerate(replicas)}
        self._replicas = {child: replica for replica, child in self.workers.items()}
        self.failure: tuple[str, ...] | None = None
        self.troubled = False

    def start(self, group: asyncio.TaskGroup) -> None:
        """Starts all processes, the supervisor first: it listens once the workers of a quorum are ready."""
        self._endpoints.write()
        for child in (self.supervisor, *self.workers.values()):
            self._tasks[child] = group.create_task(child.keep_running())

    async def settled(self) -> None:
        """Returns when every process is ready or has refused its model, or when `failure` is set."""
        while self.failure is None and not all(_is_settled(child) for child in self._tasks):
            self._changed.clear()
            await self._changed.wait()

    async def drain(self, kill: asyncio.Event) -> None:
        """Ends the supervisor and then the workers, each in bounded time; kills them at once when `kill` is set."""
        for child in self._tasks:
            child.stay_down()
        await self._end([self.supervisor], SUPERVISOR_DRAIN_S, kill)
        await self._end(self.workers.values(), WORKER_DRAIN_S, kill)

    def child_is_ready(self, child: Child) -> None:
        """Adds a worker to the endpoints file, and reports a process that is ready again."""
        if child in self._were_ready:
            self._report.back(child)
        self._were_ready.add(child)
        if child is not self.supervisor and child.ready is not None:
            self._endpoints.put(self._replicas[child], lane_address_of(child.ready))
        self._notify()

    def child_has_ended(self, child: Child, end: Exit, pause_s: float) -> None:
        """Removes a worker from the endpoints file. Sets `failure` if the supervisor rejects its configuration."""
        self.troubled = True
        if child is not self.supervisor:
            self._endpoints.put(self._replicas[child], None)
        elif child not in self._were_ready and end.code == MISCONFIGURED:
            self.failure = end.last_lines
        if self.failure is None:
            self._report.ended(child, end, pause_s)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._report.changed(self)

    def _worker(self, replica: Replica, options: Options, folder: Path, number: int) -> Child:
        log = folder / f"{replica.name.replace('/', '.')}.log"
        socket = folder / f"{number}.sock"  # a number, because the path of a Unix socket is limited to 100 characters
        return Child(replica.name, lambda _: worker_command(replica, options, socket), log, self)

    async def _end(self, children: Iterable[Child], budget_s: float, kill: asyncio.Event) -> None:
        tasks = {self._tasks[child]: child for child in children}
        for child in tasks.values():
            child.end()
        for task in await _not_done(tasks, budget_s, kill):
            tasks[task].kill()
            if not kill.is_set():
                self.troubled = True
                self._report.killed(tasks[task], budget_s)
        await asyncio.wait(tasks)


def address_of(ready: Event) -> str:
    """Returns the TCP address of a worker."""
    return f"127.0.0.1:{ready['port']}"


def lane_address_of(ready: Event) -> str:
    """Returns the address for the supervisor's lane: the worker's Unix socket if it has one."""
    return f"unix:{ready['socket']}" if "socket" in ready else address_of(ready)


def _is_settled(child: Child) -> bool:
    return child.state in ("ready", "refused")


async def _all(tasks: Collection[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


async def _not_done(
    tasks: Collection[asyncio.Task[None]], budget_s: float, kill: asyncio.Event
) -> set[asyncio.Task[None]]:
    """Returns the tasks that are not done after `budget_s`, or when `kill` is set."""
    await first_of(kill.wait(), _all(tasks), within_s=budget_s)
    return {task for task in tasks if not task.done()}
