"""`mesh outcome`: reports outcomes as a game backend does."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from mesh.cli.console import count
from mesh.cli.main import DONE, FAILED
from mesh.cli.offers.command import connected_stub
from mesh.cli.outcomes.file import count_lines, read_lines
from mesh.cli.outcomes.report import WrongField, report_of
from mesh.cli.outcomes.sending import Result, send
from mesh.cli.row_progress import row_progress
from mesh.errors import Misconfigured
from mesh.tls.channel import client_security

DEADLINE_S = 5.0
_OPTION_OF = {"offer_id": "--offer", "decision_id": "DECISION_ID", "game": "--game"}
_OF_ONE = ("decision_id", "request_id", "kind", "value", "currency", "offer", "time", "outcome_id")


def run(arguments: argparse.Namespace) -> int:
    """Reports one outcome, or those of a file."""
    return _report_file(arguments) if arguments.file is not None else _report_one(arguments)


def _report_one(arguments: argparse.Namespace) -> int:
    fields = {name: getattr(arguments, name) for name in _OF_ONE if name != "offer"}
    try:
        report = report_of({**fields, "offer_id": arguments.offer}, arguments.game)
    except WrongField as error:
        raise Misconfigured([_for_command(str(error))]) from None
    with connected_stub(arguments.address, client_security(vars(arguments), os.environ)) as stub:
        answer = stub.ReportOutcome(report, timeout=DEADLINE_S)
    if arguments.json:
        print(json.dumps({"event": "reported", "outcome_id": report.outcome_id, "duplicate": answer.duplicate}))
    elif answer.duplicate:
        print(f"{report.outcome_id}: was reported before; it counts once")
    else:
        print(f"{report.outcome_id}: reported")
    return DONE


def _report_file(arguments: argparse.Namespace) -> int:
    given = [name for name in _OF_ONE if getattr(arguments, name) not in (None, "")]
    if given:
        option = given[0] if given[0] != "decision_id" else "DECISION_ID"
        name = option if option == "DECISION_ID" else f"--{option.replace('_', '-')}"
        raise Misconfigured([f"{name}: cannot be combined with --file; write it into the file"])
    lines, started_s = count_lines(arguments.file), time.monotonic()
    with (
        connected_stub(arguments.address, client_security(vars(arguments), os.environ)) as stub,
        row_progress() as progress,
    ):
        task = progress.add_task("reporting", total=lines)
        result = send(stub, read_lines(arguments.file, arguments.game), lambda: progress.advance(task))
        progress.update(task, total=result.taken + result.duplicates + result.wrong)
    _print(result, time.monotonic() - started_s, as_json=arguments.json)
    return FAILED if result.wrong else DONE


def _print(result: Result, seconds: float, *, as_json: bool) -> None:
    for fault in result.faults:
        print(f"{fault.place}: {fault.message}", file=sys.stderr)
    if len(result.faults) < result.wrong:
        print(f"and {result.wrong - len(result.faults)} more", file=sys.stderr)
    if as_json:
        counts = {"taken": result.taken, "duplicates": result.duplicates, "wrong": result.wrong}
        print(json.dumps({"event": "reported", **counts, "seconds": round(seconds, 3)}))
        return
    repeated = f", {result.duplicates:,} of them reported before" if result.duplicates else ""
    wrong = f"; {count(result.wrong, 'wrong line')} not reported" if result.wrong else ""
    print(f"{result.taken + result.duplicates:,} outcomes reported{repeated}{wrong}, in {seconds:.1f} s")


def _for_command(error: str) -> str:
    """Names the option of a field."""
    field, _, rest = error.partition(":")
    return f"{_OPTION_OF.get(field, '--' + field.replace('_', '-'))}:{rest}"
