"""The fleet of one `mesh up`: the workers, the supervisor, and the endpoints file that connects them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from mesh.catalog.catalog import Catalog
from mesh.catalog.worker_inputs import inputs_of
from mesh.cli.main import MISCONFIGURED
from mesh.cli.up.child import Child
from mesh.cli.up.plan import Options, Replica, supervisor_command
from mesh.cli.up.restarts import Exit
from mesh.cli.up.worker import Worker
from mesh.cli.up.workers import Workers
from mesh.first_of import first_of

SUPERVISOR_DRAIN_S = 15.0  # longer than the longest budget of an answer
WORKER_DRAIN_S = 10.0


class Report(Protocol):
    """Port of `Fleet`: receives the events that a user should see."""

    def changed(self, fleet: Fleet, /) -> None:
        """A process became ready, or ended."""
        ...

    def ended(self, child: Child, end: Exit, pause_s: float | None, /) -> None:
        """A process ended by itself; it starts again after `pause_s`, or (None) after a change."""
        ...

    def back(self, child: Child, /) -> None:
        """A process is ready again after a restart."""
        ...

    def killed(self, child: Child, budget_s: float, /) -> None:
        """A process did not drain within `budget_s` and was killed."""
        ...

    def added(self, child: Child, /) -> None:
        """A new catalog, or a new file of its model, started a worker."""
        ...

    def leaves(self, child: Child, /) -> None:
        """A worker drains: the supervisor asks it no more."""
        ...


class Fleet:
    """Keeps the workers `replicas` and one supervisor for the catalogs `files` running.

    `folder` contains their logs and the endpoints file, and `certificates` is None without TLS. `failure` contains the
    supervisor's messages if it rejected its configuration before it was ever ready. `troubled` is set once a process
    ended by itself or had to be killed.
    """

    def __init__(
        self, files: Sequence[Path], replicas: Sequence[Replica], options: Options, folder: Path, report: Report
    ) -> None:
        self._report = report
        self._changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[Child, asyncio.Task[None]] = {}
        self._were_ready: set[Child] = set()
        self._draining = asyncio.Event()
        self.folder = folder
        self.certificates = options.certificates
        self.workers = Workers(options, folder, self, self._keep_running)
        self._replicas = replicas
        command = supervisor_command(files, self.workers.endpoints.path, options)
        self.supervisor = Child("supervisor", command, folder / "supervisor.log", self)
        self.failure: tuple[str, ...] | None = None
        self.troubled = False

    def start(self, group: asyncio.TaskGroup) -> None:
        """Starts all processes, the supervisor first: it listens once the workers of a quorum are ready."""
        self._group = group
        self._keep_running(self.supervisor)
        self.workers.want(self._replicas)

    def write_inputs(self, catalogs: Iterable[Catalog]) -> None:
        """Writes the inputs files of the games, which the workers that `catalogs` want read at their start."""
        for catalog in catalogs:
            self.workers.write_inputs(catalog.game, inputs_of(catalog))

    def follow(self, replicas: Sequence[Replica]) -> None:
        """Starts the workers of `replicas` that are missing. The others serve until `retire`, if they ever served."""
        for worker in self.workers.want(replicas):
            self._report.added(worker.child)
        idle = [worker for worker in self.workers.superseded if worker.child not in self._were_ready]
        self.workers.forget(idle)
        for worker in idle:
            worker.child.end()
        self._notify()

    def retire(self, workers: Sequence[Worker], after_s: float) -> None:
        """Takes `workers` from the supervisor; ends them after `after_s`, when its last questions are answered."""
        self.workers.forget(workers)
        for worker in workers:
            self._report.leaves(worker.child)
            self._spawn(self._end_later(worker.child, after_s))

    async def settled(self) -> None:
        """Returns when every process is ready or has refused its model, or when `failure` is set."""
        while self.failure is None and not all(_is_settled(child) for child in self._tasks):
            self._changed.clear()
            await self._changed.wait()

    async def drain(self, kill: asyncio.Event) -> None:
        """Ends the supervisor and then the workers, each in bounded time; kills them at once when `kill` is set."""
        self._draining.set()
        for child in self._tasks:
            child.stay_down()
        workers = self._tasks.keys() - {self.supervisor}
        await self._end(self._tasks.keys() & {self.supervisor}, SUPERVISOR_DRAIN_S, kill)
        await self._end(self._tasks.keys() & workers, WORKER_DRAIN_S, kill)

    def child_is_ready(self, child: Child) -> None:
        """Adds a worker to the endpoints file, and reports a process that is ready again."""
        if child in self._were_ready:
            self._report.back(child)
        self._were_ready.add(child)
        self.workers.write_endpoints()
        self._notify()

    def child_has_ended(self, child: Child, end: Exit, pause_s: float | None) -> None:
        """Removes a worker from the endpoints file. Sets `failure` if the supervisor rejects its configuration."""
        self.troubled = True
        self.workers.write_endpoints()
        if child is self.supervisor and child not in self._were_ready and end.code == MISCONFIGURED:
            self.failure = end.last_lines
        if self.failure is None:
            self._report.ended(child, end, pause_s)
        self._notify()

    def _keep_running(self, child: Child) -> None:
        task = self._tasks[child] = self._spawn(child.keep_running())
        task.add_done_callback(lambda _: self._tasks.pop(child))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if self._group is None:
            raise RuntimeError("start the fleet first")
        return self._group.create_task(work)

    def _notify(self) -> None:
        self._changed.set()
        self._report.changed(self)

    async def _end_later(self, child: Child, after_s: float) -> None:
        await first_of(self._draining.wait(), within_s=after_s)
        if not self._draining.is_set():  # else `drain` ends it
            await self._end([child], WORKER_DRAIN_S, self._draining)

    async def _end(self, children: Iterable[Child], budget_s: float, kill: asyncio.Event) -> None:
        tasks = {self._tasks[child]: child for child in children}
        for child in tasks.values():
            child.end()
        for task in await _not_done(tasks, budget_s, kill):
            tasks[task].kill()
            if not kill.is_set():
                self.troubled = True
                self._report.killed(tasks[task], budget_s)
        await _all(tasks)


def _is_settled(child: Child) -> bool:
    return child.state in ("ready", "refused")


async def _all(tasks: Collection[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


async def _not_done(
    tasks: Collection[asyncio.Task[None]], budget_s: float, kill: asyncio.Event
) -> set[asyncio.Task[None]]:
    """Returns the tasks that are not done after `budget_s`, or when `kill` is set."""
    await first_of(kill.wait(), _all(tasks), within_s=budget_s)
    return {task for task in tasks if not task.done()}
