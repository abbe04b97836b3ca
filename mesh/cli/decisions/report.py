"""`mesh decisions report`: conversion and revenue by version, with intervals, from a decision log."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mesh import plot_page
from mesh.catalog import catalog as catalogs
from mesh.cli.decisions.report_tables import print_report
from mesh.cli.decisions.time_range import time_range
from mesh.cli.main import DONE
from mesh.decisions.log import is_catalog, open_log
from mesh.decisions.report import page
from mesh.decisions.report.division import Period, plan_of, steps_s
from mesh.decisions.report.summary import summarise
from mesh.decisions.report.tallies import Question, tally
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Prints the report; with `--html` also writes the page. Raises Misconfigured and Unavailable."""
    if arguments.html is not None:
        plot_page.check_output(arguments.html, "--html")
    since, until = time_range(arguments)
    where = arguments.log or arguments.catalog
    if where is None:
        raise Misconfigured(["LOG: is missing; give the folder or the address of the log, or --catalog"])
    with open_log(str(where)) as log:
        game, plan = _plan(arguments)
        asked = arguments.by, arguments.method, arguments.within
        question = Question(log.game(arguments.game or game), since, until, *asked, steps_s(plan))
        found = summarise(log.name, question, tally(log, question), arguments.baseline, plan)
    if arguments.html is not None:
        facts = plot_page.origin("mesh", sys.argv[1:], datetime.now(UTC))
        plot_page.write(arguments.html, page.page(found, facts), "--html")
    if arguments.json:
        print(json.dumps(_plain(dataclasses.asdict(found))))
    else:
        print_report(found)
    return DONE


def _plan(arguments: argparse.Namespace) -> tuple[str | None, list[Period] | None]:
    """Returns the game and the planned shares of the catalog, if one is given."""
    given = arguments.catalog or (Path(arguments.log) if is_catalog(arguments.log) else None)
    if given is None:
        return None, None
    catalog = catalogs.load(given)
    if arguments.game not in (None, catalog.game):
        raise Misconfigured([f"--game {arguments.game}: {given} is the catalog of {catalog.game}; omit one of them"])
    return catalog.game, plan_of(catalog)


def _plain(value: Any) -> Any:
    """Replaces named tuples by objects, and numbers that JSON does not have by null."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
