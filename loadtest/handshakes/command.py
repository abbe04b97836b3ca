"""`python -m loadtest handshakes`: new TLS connections a second at a running supervisor, beside valid traffic."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from rich.console import Console

from loadtest import interruption
from loadtest.errors import CannotMeasure
from loadtest.handshakes import report
from loadtest.handshakes.trial import SUPERVISOR, Run, Trial
from loadtest.input_options import add_inputs
from loadtest.options import FOLDER, add_output, positive_float, positive_int
from loadtest.report import write_json
from loadtest.run.measurement import Setting, must_answer
from loadtest.run.question import question_of
from mesh.cli.console import stdout
from mesh.tls import client_options
from mesh.tls.channel import client_security

MEASURED, FAULTY, GENERATOR_LIMIT = 0, 1, 3
RATES: tuple[float | None, ...] = (0.0, 50.0, 200.0, 800.0, None)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.epilog = "Exit codes: 0 measured; 1 requests failed; 2 not measured; 3 the load generator was the limit."
    add = parser.add_argument
    add("--address", default="127.0.0.1:7000", help="address of the supervisor (default %(default)s)")
    add("--supervisor-pid", type=positive_int, metavar="PID", help="process whose CPU time is measured")
    add_inputs(parser)
    add("--rate", type=positive_float, default=100.0, help="requests per second (default %(default)s)")
    rates = "new connections per second, separated by commas; `all`: as many as possible (default 0,50,200,800,all)"
    add("--connections-per-s", type=_rates, default=RATES, metavar="N,...", help=rates)
    add("--seconds", type=positive_float, default=8.0, help="duration at each rate (default %(default)s)")
    add("--deadline-ms", type=positive_float, default=300.0, help="deadline of each request (default %(default)s)")
    client_options.add_options(parser)
    add_output(parser, Path("build/handshakes.json"))
    parser.set_defaults(method=None, version="")


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    stderr = Console(stderr=True, highlight=False)
    security = client_security(vars(options), os.environ)
    if security.ca is None:
        raise CannotMeasure("--tls-ca: is missing; without TLS there are no handshakes")
    setting = Setting(question_of(options), 1, 10_000, 0, None, raises_priority=False, security=security)
    logs = FOLDER / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    parts = {SUPERVISOR: [options.supervisor_pid]} if options.supervisor_pid else {}
    trial = Trial(setting, parts, logs, lambda line: stderr.print(line, markup=False, soft_wrap=True))
    runs = interruption.run(_measure(trial, options))
    document = report.document_of(runs, options.rate)
    write_json(options.out, document)
    if options.json:
        print(json.dumps(document))
    else:
        stdout().print(report.table_of(runs, options.rate))
    doubts = list(report.doubts_of(runs))
    for doubt in doubts:
        stderr.print(f"doubtful: {doubt}", style="red", markup=False, soft_wrap=True)
    if any(run.summary.classes["error"] for run in runs):
        return FAULTY
    return GENERATOR_LIMIT if doubts else MEASURED


async def _measure(trial: Trial, options: argparse.Namespace) -> list[Run]:
    await must_answer(trial.setting.question, trial.setting.security)
    return await trial.measure(options.rate, options.seconds, options.connections_per_s)


def _rates(text: str) -> list[float | None]:
    """Rates, of which the first is 0: the others are compared with it."""
    rates = [None if part == "all" else float(part) for part in text.split(",")]
    if rates[0] != 0 or any(rate is not None and not 0 <= rate < float("inf") for rate in rates):
        raise argparse.ArgumentTypeError(f"{text!r}: begin with 0, the traffic without new connections")
    return rates
