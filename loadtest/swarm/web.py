"""The additions to locust's web interface: the tabs Stages, Sources and Steps, and the page of the sources."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

from loadtest.swarm import sources, steps
from loadtest.swarm.command_line import as_typed
from loadtest.swarm.record import STAGE_COLUMNS, Record
from mesh import plot_page

TABLES = {"stages": STAGE_COLUMNS, "sources": sources.COLUMNS, "steps": steps.COLUMNS}


def attach(environment: Any, record: Record) -> None:
    """Adds the tabs and the pages."""
    web_ui = environment.web_ui
    _add_tabs(web_ui, record)
    add, protected = web_ui.app.add_url_rule, web_ui.auth_required_if_enabled
    add("/stages", "stages_as_json", protected(lambda: _as_json(list(record.stages.rows()))))
    add(sources.PATH, "sources", protected(lambda: sources.page(_facts(environment))))
    add(f"{sources.PATH}.json", "sources_as_json", protected(lambda: _series(environment, record)))


def _series(environment: Any, record: Record) -> Any:
    return _as_json(sources.series(record.timeline, record.until_s, environment.parsed_options.deadline_ms))


def _as_json(value: object) -> Any:
    return json.dumps(value), 200, {"Content-Type": "application/json"}


def _facts(environment: Any) -> dict[str, str]:
    facts = {"Address": environment.host or "", "Scenario": environment.parsed_options.scenario}
    return facts | plot_page.origin(*as_typed(sys.argv), datetime.now(UTC))


def _add_tabs(web_ui: Any, record: Record) -> None:
    web_ui.template_args["extended_tabs"] = [{"title": key.title(), "key": key} for key in TABLES]
    web_ui.template_args["extended_tables"] = [
        {"key": key, "structure": [{"key": name, "title": title} for name, title in columns.items()]}
        for key, columns in TABLES.items()
    ]

    @web_ui.app.after_request
    def add_tables(response: Any) -> Any:
        from flask import request

        if request.path == "/stats/requests" and response.is_json:
            rows = {"stages": record.stages.rows(), "sources": sources.rows(record.timeline), "steps": record.steps()}
            extended = [{"key": key, "data": list(found)} for key, found in rows.items()]
            response.set_data(json.dumps({**response.get_json(), "extended_stats": extended}))
        elif request.path == "/" and response.mimetype == "text/html":
            response.direct_passthrough = False
            response.set_data(response.get_data(as_text=True).replace("</body>", f"{sources.FRAME}</body>"))
        return response
