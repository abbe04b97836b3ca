"""`python -m loadtest run`: sends requests on a schedule without waiting for answers, and classifies every request."""

from __future__ import annotations

import argparse
import functools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtest import interruption
from loadtest.errors import CannotMeasure
from loadtest.game_inputs import GameInputs, candidates_of, context_of
from loadtest.generators import arrivals
from loadtest.input_options import add_inputs
from loadtest.options import add_output, positive_float, positive_floats, positive_int, positive_ints
from loadtest.player_store import sqlite_path
from loadtest.report import origin, write_json
from loadtest.run import page, report
from loadtest.run.knee import Step, knee_of
from loadtest.run.measurement import Setting, measure, must_answer
from loadtest.run.overload import FACTORS, Load, Overload, measure_connections
from loadtest.run.overload_report import overload_document, overload_doubts, overload_table
from loadtest.run.question import question_of
from loadtest.run.search import arrivals_at, search_knee
from loadtest.run.summary import Summary
from loadtest.simulated.service_times import Seconds
from mesh.catalog import catalog as catalogs
from mesh.cli.console import stdout
from mesh.reference.oracle import Oracle
from mesh.reference.players import SqlitePlayers
from mesh.tls import client_options
from mesh.tls.channel import client_security

MEASURED, FAULTY, GENERATOR_LIMIT = 0, 1, 3
OVERLOAD_SECONDS = 8.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    codes = "0 measured; 1 errors or wrong scores; 2 not measured"
    parser.epilog = f"Exit codes: {codes}; 3 the generator or other programs were the limit; 130 interrupted."
    _add_request_options(parser)
    _add_schedule_options(parser)
    _add_knee_options(parser)
    add_output(parser, Path("build/run.json"), has_page=True)
    client_options.add_options(parser)


def _add_request_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--address", default="127.0.0.1:7000", help="address of the supervisor (default %(default)s)")
    add_inputs(parser)
    method_help = "RPC to call (default GetOffer; Score if the catalog has no offers)"
    add("--method", choices=["GetOffer", "Score"], help=method_help)
    add("--version", default="", help="version to ask for (default: the mesh chooses)")
    add("--deadline-ms", type=positive_float, default=300.0, help="deadline of each request (default %(default)s)")
    add("--check", action="store_true", help="compare every score with LightGBM; needs --catalog")


def _add_schedule_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    rate_help = "requests per second; with --find-knee the first rate (default %(default)s)"
    add("--rate", type=positive_float, default=100.0, help=rate_help)
    add("--seconds", type=positive_float, help="duration (default 20; for each step of --find-knee 5)")
    add("--arrivals", choices=["poisson", "constant"], default="poisson", help="arrival process (default %(default)s)")
    add("--trace", type=Path, help="file of times (seconds or ISO 8601), one per line, instead of --rate and --seconds")
    add("--processes", type=positive_int, default=1, help="number of sender processes (default %(default)s)")
    unanswered_help = "maximum number of unanswered requests; further requests are not sent (default %(default)s)"
    connections_help = "number of connections (default 1); with --overload also several, like 1,8,200"
    add("--connections", type=positive_ints, default=[1], metavar="N", help=connections_help)
    add("--max-unanswered", type=positive_int, default=10_000, help=unanswered_help)
    add("--seed", type=int, default=0, help="seed of arrivals and players (default %(default)s)")


def _add_knee_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--find-knee", action="store_true", help="search for the highest rate that keeps --slo-ms and --full-share")
    slo_help = "highest p99 for --find-knee, and a line in the plots (default %(default)s)"
    add("--slo-ms", type=positive_float, default=50.0, help=slo_help)
    overload_help = "find the knee, then offer multiples of it; with generators at ordinary priority"
    add("--overload", action="store_true", help=overload_help)
    add("--knee", type=positive_float, metavar="RATE", help="knee for --overload, instead of the search")
    factors_help = f"multiples of the knee for --overload (default {','.join(f'{one:g}' for one in FACTORS)})"
    add("--factors", type=positive_floats, default=FACTORS, metavar="X,...", help=factors_help)
    add("--supervisor-pid", type=positive_int, metavar="PID", help="process whose memory --overload reads")
    share_help = "least share of full answers for --find-knee (default %(default)s)"
    add("--full-share", type=positive_float, default=0.99, help=share_help)


def run(options: argparse.Namespace) -> int:
    """Runs the command; `--help` lists the exit codes."""
    stderr = Console(stderr=True, highlight=False)

    def progress(line: str) -> None:
        stderr.print(line, markup=False, soft_wrap=True)

    setting = _setting(options)
    if options.overload:
        return _run_overload(options, setting, stderr)
    summary, steps = interruption.run(_run(options, setting, progress))
    _write(options, summary, steps)
    _print(options, summary, steps)
    knee_doubts = list(report.knee_doubts(steps))
    for doubt in (*knee_doubts, *report.doubts(summary)):
        stderr.print(f"doubtful: {doubt}", style="red", markup=False, soft_wrap=True)
    progress(f"page: {options.out.with_suffix('.html')}")
    return GENERATOR_LIMIT if knee_doubts else _exit_code(summary)


def _run_overload(options: argparse.Namespace, setting: Setting, stderr: Console) -> int:
    """Runs `--overload`."""
    knee_rps, runs = interruption.run(_overload(options, setting, lambda line: stderr.print(line, markup=False)))
    document = {"runs": [overload_document(loads, knee_rps, connections) for connections, loads in runs.items()]}
    write_json(options.out, document)
    if options.json:
        print(json.dumps(document))
    else:
        stdout().print(*(overload_table(loads, knee_rps, connections) for connections, loads in runs.items()))
    loads = [load for loads in runs.values() for load in loads]
    doubts = list(overload_doubts(loads))
    for doubt in doubts:
        stderr.print(f"doubtful: {doubt}", style="red", markup=False, soft_wrap=True)
    if any(load.summary.classes["error"] for load in loads):
        return FAULTY
    return GENERATOR_LIMIT if doubts else MEASURED


async def _overload(
    options: argparse.Namespace, setting: Setting, progress: Callable[[str], None]
) -> tuple[float, dict[int, list[Load]]]:
    await must_answer(setting.question, setting.security)
    knee_rps = options.knee
    if knee_rps is None:
        _, steps = await search_knee(options, setting, progress)
        knee_rps = knee_of(steps)
    if knee_rps is None:
        raise CannotMeasure("no rate kept the objective; lower --rate or raise --slo-ms, or give --knee")
    offered = functools.partial(arrivals_at, options)
    overload = Overload(options.factors, options.seconds or OVERLOAD_SECONDS, offered, options.supervisor_pid)
    return knee_rps, await measure_connections(setting, options.connections, knee_rps, overload, progress)


async def _run(
    options: argparse.Namespace, setting: Setting, progress: Callable[[str], None]
) -> tuple[Summary, list[Step]]:
    offsets_s, seconds = _schedule(options)
    await must_answer(setting.question, setting.security)
    if options.find_knee:
        return await search_knee(options, setting, progress)
    progress(f"{len(offsets_s):,} requests in {seconds:g} s to {options.address}")
    return await measure(setting, offsets_s, seconds, progress), []


def _schedule(options: argparse.Namespace) -> tuple[Seconds, float]:
    if options.trace is not None:
        offsets_s = arrivals.read_trace(options.trace)
        return offsets_s, max(1.0, float(offsets_s[-1]))
    seconds = options.seconds or 20.0
    offsets_s = arrivals_at(options, options.rate, seconds)
    if not len(offsets_s):
        raise CannotMeasure(f"no request in {seconds:g} s at {options.rate:g} per second; raise --seconds or --rate")
    return offsets_s, seconds


def _setting(options: argparse.Namespace) -> Setting:
    others = [name for name in ("check", "find_knee", "trace") if getattr(options, name)]
    if options.overload and others:
        raise CannotMeasure(f"--overload and --{others[0].replace('_', '-')} cannot be combined; give only one")
    if len(options.connections) > 1 and not options.overload:
        raise CannotMeasure("--connections: several numbers need --overload; give one number")
    if options.check and options.catalog is None:
        raise CannotMeasure("--check needs --catalog FILE, the catalog that the mesh serves")
    question = question_of(options)
    options.game, options.method = question.game, question.method
    inputs = question.inputs
    # Score compares an offer with all others, whatever the candidates are.
    compared = inputs if options.method == "GetOffer" else replace(inputs, candidates=0)
    oracle = _oracle(options.catalog, compared) if options.check else None
    limits = (options.processes, options.max_unanswered, options.seed)
    security = client_security(vars(options), os.environ)
    return Setting(question, *limits, oracle, options.connections[0], not options.overload, security)


def _oracle(catalog_file: Path, inputs: GameInputs) -> Oracle:
    catalog = catalogs.load(catalog_file)
    players = SqlitePlayers(sqlite_path(catalog))
    return Oracle(catalog, players, functools.partial(context_of, inputs), functools.partial(candidates_of, inputs))


def _document(options: argparse.Namespace, summary: Summary, steps: list[Step]) -> dict[str, Any]:
    target = {"address": options.address, "game": options.game, "method": options.method}
    return target | report.document(summary) | ({"knee": report.knee_document(steps, options.slo_ms)} if steps else {})


def _write(options: argparse.Namespace, summary: Summary, steps: list[Step]) -> None:
    write_json(options.out, _document(options, summary, steps))
    title = f"{options.method} for {options.game}"
    if not steps:
        title = f"{title}: {summary.offered_rps:,.0f} requests per second"
    facts = {"Address": options.address} | origin()
    if doubts := [*report.knee_doubts(steps), *report.doubts(summary)]:
        facts["Doubtful"] = "; ".join(doubts)
    text = page.render(title, summary, options.slo_ms, facts, steps)
    options.out.with_suffix(".html").write_text(text, encoding="utf-8")


def _print(options: argparse.Namespace, summary: Summary, steps: list[Step]) -> None:
    if options.json:
        print(json.dumps(_document(options, summary, steps)))
        return
    if steps:
        report.print_knee(stdout(), steps, options.slo_ms)
    report.print_run(stdout(), summary)


def _exit_code(summary: Summary) -> int:
    if summary.classes["wrong"]:
        return FAULTY
    if summary.classes["unsent"] or not report.is_held(summary):
        return GENERATOR_LIMIT  # the mesh did not receive the load, so its answers do not count
    return FAULTY if summary.classes["error"] else MEASURED
