"""Listeners for locust's events: a check before the load, stage times of all processes, a tab and charts."""

from __future__ import annotations

import json
import sys
from typing import Any

from locust.runners import MasterRunner, WorkerRunner

from loadtest.swarm import sources
from loadtest.swarm.calls import target_fault
from loadtest.swarm.draws import games_of
from loadtest.swarm.options import faults
from loadtest.swarm.stages import Stages

TAB = "stages"
COLUMNS: dict[str, Any] = {
    "what": "Stage or model",
    "p50": "p50 ms",
    "p95": "p95 ms",
    "p99": "p99 ms",
    "last": "Was last in",
    "tail": "in the slowest 5 %",
}
CANNOT_LOAD = 2


def attach(environment: Any, **_: object) -> None:
    """Adds the listeners to one locust process: local, master or worker."""
    environment.stages = stages = Stages()
    events = environment.events
    events.test_start.add_listener(lambda **_: stages.clear())
    if isinstance(environment.runner, WorkerRunner):
        events.report_to_master.add_listener(lambda data, **_: data.update(stages=stages.take()))
        return
    events.test_start.add_listener(lambda **_: _check(environment))
    if isinstance(environment.runner, MasterRunner):
        events.worker_report.add_listener(lambda data, **_: stages.merge(data["stages"]))
    events.quitting.add_listener(lambda **_: _print(stages))
    if environment.web_ui:
        _add_tab(environment.web_ui, stages)
        _add_charts(environment)


def _check(environment: Any) -> None:
    """Ends a run before it starts if it would only produce errors."""
    options = environment.parsed_options
    try:
        games = list(games_of(options.games))
        fault = next(faults(options), "") or target_fault(environment.host or "", games)
    except ValueError as error:
        fault = str(error)
    if not fault:
        return
    print(f"locust: {fault}", file=sys.stderr)
    environment.process_exit_code = CANNOT_LOAD
    if environment.web_ui:
        environment.runner.stop()
    else:
        environment.runner.quit()


def _print(stages: Stages) -> None:
    rows: list[dict[str, Any]] = [COLUMNS, *stages.rows()]
    if len(rows) > 1:
        print("\nTime of each stage, and which model was last", file=sys.stderr)
        for row in rows:
            what, *cells = (str(row[key]) for key in COLUMNS)
            print(f"{what:<28}{''.join(f'{cell:>20}' for cell in cells)}", file=sys.stderr)


def _add_tab(web_ui: Any, stages: Stages) -> None:
    structure = [{"key": key, "title": title} for key, title in COLUMNS.items()]
    web_ui.template_args["extended_tabs"] = [{"title": "Stages", "key": TAB}]
    web_ui.template_args["extended_tables"] = [{"key": TAB, "structure": structure}]

    @web_ui.app.after_request
    def add_stages(response: Any) -> Any:
        from flask import request

        if request.path == "/stats/requests" and response.is_json:
            extended = [{"key": TAB, "data": list(stages.rows())}]
            response.set_data(json.dumps({**response.get_json(), "extended_stats": extended}))
        return response

    @web_ui.app.route("/stages")
    @web_ui.auth_required_if_enabled
    def stages_as_json() -> Any:
        return json.dumps(list(stages.rows())), 200, {"Content-Type": "application/json"}


def _add_charts(environment: Any) -> None:
    web_ui = environment.web_ui
    add, protected = web_ui.app.add_url_rule, web_ui.auth_required_if_enabled
    add(sources.PATH, "sources", protected(sources.page))
    add(f"{sources.PATH}.json", "sources_as_json", protected(lambda: sources.series(environment.stats)))
    print(f"locust: charts by source are at {sources.PATH} of the web interface", file=sys.stderr)
