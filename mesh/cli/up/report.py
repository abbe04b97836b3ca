"""What `mesh up` says: progress and mishaps on stderr, what runs on stdout."""

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
from mesh.cli.parser import ADDRESS
from mesh.cli.up.child import Child
from mesh.cli.up.fleet import Fleet, address_of
from mesh.cli.up.plan import Seat
from mesh.cli.up.restarts import Ended


class TerminalReport:
    """Tells a person, and with `as_json` a program, what happens in a fleet of `workers` workers."""

    def __init__(self, workers: int, as_json: bool) -> None:
        self._as_json = as_json
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._loading = self._progress.add_task("loading models", total=workers)

    def loading(self) -> Progress:
        """The progress bar, for a `with` block around the start."""
        return self._progress

    def changed(self, fleet: Fleet) -> None:
        """Moves the progress bar."""
        ready = sum(child.state == "ready" for child in fleet.workers.values())
        self._progress.update(self._loading, completed=ready)

    def ended(self, child: Child, ended: Ended, pause_s: float) -> None:
        """One line, and below it the last lines of the process if it did not end by somebody's signal."""
        again = f"starts again in {pause_s:g} s" if pause_s else "starts again at once"
        if ended.refused:
            self.say(f"{child.name}: {(ended.last_lines or ('refused without a word',))[-1]}; {again}")
            return
        self.say(f"{child.name} ended after {ended.ran_s:.1f} s: {how(ended.code)}; {again} (log: {child.log})")
        for line in ended.last_lines if ended.code >= 0 else ():
            self.say(f"    {line}")

    def back(self, child: Child) -> None:
        """One line."""
        self.say(f"{child.name} is back")

    def killed(self, child: Child, budget_s: float) -> None:
        """One line."""
        self.say(f"{child.name} did not drain within {budget_s:g} s and was killed (log: {child.log})")

    def ready(self, fleet: Fleet) -> None:
        """The table of what runs, or for a program one line."""
        if self._as_json:
            print(json.dumps(ready_event(fleet)), flush=True)
            return
        console = stdout()
        console.print(_table(fleet))
        for line in _hints(fleet):
            print_line(console, line)

    def say(self, line: str) -> None:
        """A line on stderr."""
        print_line(self._progress.console, line)


def how(code: int) -> str:
    """How a process ended, for a reader."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def ready_event(fleet: Fleet) -> dict[str, Any]:
    """What programs wait for: where everything is. `state` is `ready` for every worker that serves."""
    ready = fleet.supervisor.ready or {}
    return {
        "event": "ready",
        "address": ready.get("address"),
        "metrics": ready.get("metrics"),
        "supervisor": {"pid": fleet.supervisor.pid},
        "workers": [_worker(seat, child) for seat, child in fleet.workers.items()],
    }


def _worker(seat: Seat, child: Child) -> dict[str, Any]:
    place = {"game": seat.game, "version": seat.version, "model": seat.model.name, "replica": seat.replica}
    ready = child.ready
    address = address_of(ready) if ready else None
    metrics = f"127.0.0.1:{ready['metrics_port']}" if ready else None
    engine = {name: ready[name] if ready else None for name in ("engine", "engine_reason")}
    return {**place, "pid": child.pid, "address": address, "metrics": metrics, "state": child.state, **engine}


def _table(fleet: Fleet) -> Table:
    columns = ["game", "version", "model", "replica", "pid", "address", "metrics", "state"]
    if not any(seat.replica for seat in fleet.workers):
        columns.remove("replica")
    found = table(columns)
    for worker in ready_event(fleet)["workers"]:
        cells = ("-" if worker[name] is None else str(worker[name]) for name in columns)
        found.add_row(*cells, style=None if worker["state"] == "ready" else "red")
    return found


def _hints(fleet: Fleet) -> list[str]:
    ready = fleet.supervisor.ready or {}
    address, game = ready.get("address", "-"), next(iter(fleet.workers)).game
    where = "" if address == ADDRESS else f" --address {address}"
    return [
        "",
        f"scored by:  {_engines(fleet)}",
        f"supervisor: {address}, metrics http://{ready.get('metrics', '-')}/metrics, pid {fleet.supervisor.pid}",
        f"ask it:     mesh offer --game {game} --player PLAYER{where}",
        "end it:     Ctrl-C",
    ]


def _engines(fleet: Fleet) -> str:
    """Each engine with why it is not another, and how many workers it scores for where there are several."""
    ready = [child.ready for child in fleet.workers.values() if child.ready]
    found = Counter(
        f"{one['engine']} ({one['engine_reason']})" if one["engine_reason"] else one["engine"] for one in ready
    )
    if len(found) < 2:
        return next(iter(found), "-")
    return ", ".join(f"{engine} x {count}" for engine, count in found.most_common())
