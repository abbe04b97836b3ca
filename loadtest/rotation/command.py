"""`python -m loadtest rotation`: changes every certificate and the CA under load; has bad peers call both ports."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from loadtest import interruption
from loadtest.measurement import machine
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.options import add_folder, positive_float, positive_int
from loadtest.report import as_json
from loadtest.rotation.bad_peers import Refusal
from loadtest.rotation.trial import Result, Schedule, bad_peers_of, rotate
from loadtest.rotation.world import running_world
from loadtest.workloads import W15
from mesh.cli.console import stdout

MAX_REFUSAL_S = 1.0
ANSWERS = 30_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    about = "requests per second, half of them to each supervisor (default 300)"
    parser.add_argument("--rate-rps", type=positive_float, default=300.0, help=about)
    about = "how many times every certificate is renewed; after this, the CA changes (default %(default)s)"
    parser.add_argument("--renewals", type=positive_int, default=10, help=about)
    parser.set_defaults(rounds=1, seconds=None)
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of the table")
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 no faults, 1 aims missed, 2 not measured, 130 interrupted."""
    stderr, findings = Console(stderr=True, highlight=False), Findings()
    plan = plan_of(options, stderr, findings)
    plan.progress(machine.described())
    result = interruption.run(_try(options, plan))
    if options.json:
        print(as_json(result))
    else:
        stdout().print(_of_answers(result), _of_refusals(result.refusals))
    for line in result.others:
        plan.progress(line)
    for line in missed(result):
        plan.fault(line)
    if result.late_s > 0.0:
        plan.doubt(f"the last change was in use {result.late_s:.1f} s after the end of the load")
    if result.answers < ANSWERS:
        plan.doubt(f"{result.answers:,} answers; the aim is for {ANSWERS:,}")
    return findings.print(stderr)


async def _try(options: argparse.Namespace, plan: Plan) -> Result:
    async with running_world(plan, W15) as world:
        bad_peers = bad_peers_of(world)
        schedule = Schedule(options.rate_rps, options.renewals)
        return await rotate(world, W15, bad_peers, schedule, plan.progress)


def missed(result: Result) -> Iterator[str]:
    """One line for each aim that the result misses."""
    bad = {name: count for name, count in result.classes.items() if count and name != "full"}
    if bad:
        yield f"of {result.answers} answers: {', '.join(f'{count} {name}' for name, count in bad.items())}"
    for name, changes in result.changes.items():
        if changes < result.steps:
            yield f"{name} has used {changes} of {result.steps} new certificates and CAs"
    for refusal in result.refusals:
        peer = refusal.peer
        if not refusal.is_right:
            yield f"{peer.name} at a {peer.port}: {refusal.code} {refusal.details}; expected {' or '.join(peer.codes)}"
        elif refusal.took_s > MAX_REFUSAL_S:
            yield f"{peer.name} at a {peer.port}: refused after {refusal.took_s:.2f} s; aim: {MAX_REFUSAL_S:g} s"
    yield from (f"a supervisor has called a server: {kind}" for kind, calls in result.rogue_calls.items() if calls)
    if result.dead or result.tracebacks:
        yield f"{len(result.dead)} processes have ended, and the logs have {result.tracebacks} tracebacks"


def _of_answers(result: Result) -> Table:
    table = Table(title=f"{result.steps} changes of certificates and CAs under load")
    for column in ("answers", "full", "other", "p50 ms", "p99 ms", "processes", "rogue servers called"):
        table.add_column(column, justify="right")
    full = result.classes["full"]
    latencies = (f"{result.p50_ms:.1f}", f"{result.p99_ms:.1f}")
    called = f"{sum(map(bool, result.rogue_calls.values()))} of {len(result.rogue_calls)}"
    table.add_row(
        f"{result.answers:,}", f"{full:,}", str(result.answers - full), *latencies, str(len(result.changes)), called
    )
    return table


def _of_refusals(refusals: Sequence[Refusal]) -> Table:
    table = Table(title="Calls of bad peers")
    table.add_column("peer")
    table.add_column("port")
    for column in ("calls", "refused", "codes", "slowest s"):
        table.add_column(column, justify="right")
    for peer in dict.fromkeys(refusal.peer for refusal in refusals):
        own = [refusal for refusal in refusals if refusal.peer == peer]
        codes = ", ".join(sorted({refusal.code for refusal in own}))
        slowest = max(refusal.took_s for refusal in own)
        table.add_row(
            peer.name, peer.port, str(len(own)), str(sum(one.is_right for one in own)), codes, f"{slowest:.2f}"
        )
    return table
