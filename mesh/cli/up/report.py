"""The messages of `mesh up`: progress and failures on stderr, the running processes on stdout."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mesh.cli.console import print_line, stdout, table
from mesh.cli.parser import ADDRESS, METRICS
from mesh.cli.up.certificates import CLIENT, Certificates
from mesh.cli.up.child import Child
from mesh.cli.up.fleet import Fleet
from mesh.cli.up.plan import Replica
from mesh.cli.up.restarts import Exit
from mesh.cli.up.worker import address_of
from mesh.process import Event


class TerminalReport:
    """Reports the events of a fleet of `workers` workers to a person or, with `as_json`, to a program."""

    def __init__(self, workers: int, as_json: bool) -> None:
        self._as_json = as_json
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._loading = self._progress.add_task("loading models", total=workers)

    def loading(self) -> Progress:
        """Returns the progress bar, for a `with` block around the start."""
        return self._progress

    def changed(self, fleet: Fleet) -> None:
        """Updates the progress bar."""
        ready = sum(worker.child.state == "ready" for worker in fleet.workers)
        self._progress.update(self._loading, completed=ready)

    def ended(self, child: Child, end: Exit, pause_s: float | None) -> None:
        """Prints one line, and the end of the log unless a signal ended the process."""
        again = restart_of(pause_s)
        if end.refused:
            self.say(f"{child.name}: {(end.last_lines or ('refused its model without a message',))[-1]}; {again}")
            return
        self.say(f"{child.name} ended after {end.ran_s:.1f} s: {reason_of(end.code)}; {again} (log: {child.log})")
        for line in end.last_lines if end.code >= 0 else ():
            self.say(f"    {line}")

    def back(self, child: Child) -> None:
        """Prints one line."""
        self.say(f"{child.name} is ready again")

    def killed(self, child: Child, budget_s: float) -> None:
        """Prints one line."""
        self.say(f"{child.name} did not drain within {budget_s:g} s and was killed (log: {child.log})")

    def added(self, child: Child) -> None:
        """Prints one line."""
        self.say(f"{child.name}: starts a worker for the changed catalog")

    def leaves(self, child: Child) -> None:
        """Prints one line."""
        self.say(f"{child.name}: the previous worker drains")

    def ready(self, fleet: Fleet) -> None:
        """Prints a table of the processes, or one JSON line."""
        if self._as_json:
            print(json.dumps(ready_event(fleet)), flush=True)
            return
        console = stdout()
        console.print(_table(fleet))
        for line in _hints(fleet):
            print_line(console, line)

    def say(self, line: str) -> None:
        """Prints `line` to stderr."""
        print_line(self._progress.console, line)


def restart_of(pause_s: float | None) -> str:
    """Describes when a process starts again."""
    if pause_s is None:
        return "starts again when its file or the catalog changes"
    return f"starts again in {pause_s:g} s" if pause_s else "starts again at once"


def reason_of(code: int) -> str:
    """Describes an exit code."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def ready_event(fleet: Fleet) -> dict[str, Any]:
    """Returns the ready line for programs: the addresses and pids. `state` is `ready` for every worker that serves."""
    ready = fleet.supervisor.ready or {}
    tls = {}
    if fleet.certificates is not None:
        tls = {"tls": str(fleet.certificates.folder), "token_address": ready.get("token_address")}
    return {
        "event": "ready",
        "address": ready.get("address"),
        **tls,
        "metrics": ready.get("metrics"),
        "supervisor": {"pid": fleet.supervisor.pid},
        "logs": str(fleet.folder),
        "workers": [_worker(worker.replica, worker.child) for worker in fleet.workers],
    }


def _worker(replica: Replica, child: Child) -> dict[str, Any]:
    model = {
        "game": replica.game,
        "version": replica.version,
        "model": replica.model.name,
        "replica": replica.number,
    }
    ready = child.ready
    address = address_of(ready) if ready else None
    metrics = f"127.0.0.1:{ready['metrics_port']}" if ready else None
    engine = {name: ready[name] if ready else None for name in ("engine", "engine_reason")}
    return {**model, "pid": child.pid, "address": address, "metrics": metrics, "state": child.state, **engine}


def _table(fleet: Fleet) -> Table:
    columns = ["game", "version", "model", "replica", "pid", "address", "metrics", "state"]
    if not any(worker.replica.number for worker in fleet.workers):
        columns.remove("replica")
    rows = table(columns)
    for worker in ready_event(fleet)["workers"]:
        cells = ("-" if worker[name] is None else str(worker[name]) for name in columns)
        rows.add_row(*cells, style=None if worker["state"] == "ready" else "red")
    return rows


def _hints(fleet: Fleet) -> list[str]:
    ready = fleet.supervisor.ready or {}
    address, game = ready.get("address", "-"), next(iter(fleet.workers)).replica.game
    option = "" if address == ADDRESS else f" --address {address}"
    tls = fleet.certificates
    if tls is not None:
        option = f"{option} {' '.join(tls.asker_words(game))}"
    metrics = ready.get("metrics", "-")
    metrics_option = "" if metrics == METRICS else f" --metrics {metrics}"
    return [
        "",
        f"engine:     {_engines(fleet)}",
        f"supervisor: {address}, metrics http://{metrics}/metrics, pid {fleet.supervisor.pid}",
        *_tls_hints(tls, ready),
        f"logs:       {fleet.folder} (removed at the end, unless a process failed)",
        f"try it:     mesh offer --game {game} --player PLAYER{option}",
        f"watch it:   mesh top{metrics_option}",
        "stop it:    Ctrl-C",
    ]


def _tls_hints(tls: Certificates | None, ready: Event) -> list[str]:
    if tls is None:
        return []
    return [
        f"TLS:        {tls.folder} has a throw-away CA and certificates; client.pem has the name {CLIENT}",
        f"tokens:     {ready.get('token_address', '-')} is for callers with bearer tokens, without certificates",
    ]


def _engines(fleet: Fleet) -> str:
    """The engines of the workers, each with the reason for its choice; with the worker counts if they differ."""
    ready = [worker.child.ready for worker in fleet.workers if worker.child.ready]
    engines = Counter(
        f"{one['engine']} ({one['engine_reason']})" if one["engine_reason"] else one["engine"] for one in ready
    )
    if len(engines) < 2:
        return next(iter(engines), "-")
    return ", ".join(f"{engine} x {count}" for engine, count in engines.most_common())
