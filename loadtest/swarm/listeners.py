"""Listeners for locust's events: a check before the load, the counts of all processes, and a report at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from locust.runners import MasterRunner, WorkerRunner

from loadtest.swarm import sources, steps, web
from loadtest.swarm.calls import target_fault
from loadtest.swarm.games import INVALID, plays_of
from loadtest.swarm.options import faults, target_of, with_prefix
from loadtest.swarm.record import STAGE_COLUMNS, Record
from mesh.errors import Misconfigured

CANNOT_LOAD = 2


def attach(environment: Any, **_: object) -> None:
    """Adds the listeners to one locust process: local, master or worker."""
    is_distributed = isinstance(environment.runner, MasterRunner)
    environment.record = record = Record(environment.parsed_options, is_distributed)
    environment.stages, environment.timeline = record.stages, record.timeline
    events = environment.events
    events.test_start.add_listener(lambda **_: record.begin(time.time()))
    if isinstance(environment.runner, WorkerRunner):
        events.report_to_master.add_listener(lambda data, **_: data.update(record.take()))
        return
    events.test_start.add_listener(lambda **_: _check(environment))
    events.test_stop.add_listener(lambda **_: record.end(time.time()))
    if is_distributed:
        events.worker_report.add_listener(lambda data, **_: record.merge(data))
    events.quitting.add_listener(lambda **_: _print(record))
    if environment.web_ui:
        web.attach(environment, record)


def _check(environment: Any) -> None:
    """Ends a run before it starts if it would only produce errors."""
    options = environment.parsed_options
    try:
        fault = next(faults(options), "")
        if not fault:
            target = target_of(environment.host or "", options)
            fault = target_fault(target, [play.inputs for play in plays_of(options)])
    except INVALID as error:
        fault = "; ".join(error.faults) if isinstance(error, Misconfigured) else str(error)
    if not fault:
        return
    print(f"locust: {with_prefix(fault)}", file=sys.stderr)
    environment.process_exit_code = CANNOT_LOAD
    if environment.web_ui:
        environment.runner.stop()
    else:
        environment.runner.quit()


def _print(record: Record) -> None:
    _print_table("Requests by source", sources.COLUMNS, sources.rows(record.timeline))
    _print_table("Time of each stage, and which model was last", STAGE_COLUMNS, record.stages.rows())
    _print_table("Steps of the load", steps.COLUMNS, record.steps())
    if record.timeline.unknown:
        reason = f"{record.timeline.unknown:,} answers are for players that the store does not have"
        print(f"locust: {reason}; set --catalog or --player-ids to ask for stored players", file=sys.stderr)


def _print_table(title: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, object]]) -> None:
    lines = [columns, *rows]
    if len(lines) > 1:
        print(f"\n{title}", file=sys.stderr)
        for row in lines:
            what, *cells = (str(row[key]) for key in columns)
            print(f"{what:<28}{''.join(f'{cell:>20}' for cell in cells)}", file=sys.stderr)
