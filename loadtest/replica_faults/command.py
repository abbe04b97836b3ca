"""`python -m loadtest replica-faults`: freezes, blocks and throttles one replica of two under load."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest import interruption
from loadtest.measurement import machine
from loadtest.measurement.plan import Findings, Plan, plan_of
from loadtest.measurement.prepared import prepared_folder
from loadtest.options import add_folder, positive_float
from loadtest.peers import mesh
from loadtest.replica_faults.faults import FAULTS
from loadtest.replica_faults.trial import Suspect, Trial, try_fault
from loadtest.report import as_json
from loadtest.run.job import Question
from loadtest.run.measurement import Setting
from loadtest.workloads import W15X100, player_ids
from mesh.cli.console import stdout

# A message of 100 rows is scored on the predict thread, one of a few rows on the event loop.
ENSEMBLE = replace(W15X100, game="replica-faults", budget_ms=1000)
DEADLINE_MS = 300.0
REPLICAS = 2
MAX_PARTIAL, MAX_EXTRA_P99_MS, MAX_OUT_S, MAX_BACK_S, MAX_SECOND_TRIES = 0.001, 30.0, 0.5, 1.0, 0.05


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the command."""
    parser.add_argument("--only", choices=FAULTS, help="run one kind of fault only")
    parser.add_argument("--rate-rps", type=positive_float, default=60.0, help="requests per second (default 60)")
    parser.add_argument("--seconds", type=positive_float, default=20.0, help="duration of each fault (default 20)")
    parser.set_defaults(rounds=1)
    parser.add_argument("--json", action="store_true", help="print the trials as JSON instead of the table")
    add_folder(parser)


def run(options: argparse.Namespace) -> int:
    """Runs the command; the exit code is 0 no faults, 1 aims missed, 2 not measured, 130 interrupted."""
    stderr = Console(stderr=True, highlight=False)
    findings = Findings()
    plan = plan_of(options, stderr, findings)
    plan.progress(machine.described())
    kinds = [kind for kind in FAULTS if options.only in (None, kind)]
    trials = interruption.run(_try_all(kinds, plan, options.rate_rps, options.seconds))
    if options.json:
        print(as_json(trials))
    else:
        stdout().print(_table(trials, options.rate_rps))
    for kind, trial in trials.items():
        for line in missed(trial):
            plan.fault(f"{kind}: {line}")
    return findings.print(stderr)


async def _try_all(kinds: list[str], plan: Plan, rate_rps: float, fault_s: float) -> Mapping[str, Trial]:
    folder = await prepared_folder(ENSEMBLE, plan)
    trials: dict[str, Trial] = {}
    async with mesh.up(folder, plan.logs, replicas=REPLICAS) as ready:
        await mesh.first_full_answer(ready["address"], ENSEMBLE)
        suspect = _suspect(ready)
        setting = _setting(ready["address"])
        for kind in kinds:
            await plan.begin(f"{kind} for {fault_s:g} s: a replica of {suspect.model}")
            trials[kind] = await try_fault(FAULTS[kind], suspect, setting, rate_rps, fault_s)
    return trials


def _suspect(ready: Mapping[str, Any]) -> Suspect:
    worker = ready["workers"][0]
    return Suspect(worker["model"], worker["pid"], ready["metrics"], worker["metrics"])


def _setting(address: str) -> Setting:
    question = Question(address, "GetOffer", ENSEMBLE.game, "", DEADLINE_MS, {}, player_ids(ENSEMBLE.players))
    return Setting(question, processes=1, max_unanswered=1000, seed=1, oracle=None)


def missed(trial: Trial) -> Iterator[str]:
    """One line for each aim that the trial misses."""
    bad = {name: count for name, count in trial.classes.items() if count and name not in ("full", "partial")}
    if bad:
        yield f"of {trial.answers} answers: {', '.join(f'{count} {name}' for name, count in bad.items())}"
    partial = trial.classes["partial"] / trial.answers
    if partial > MAX_PARTIAL:
        yield f"{partial:.2%} of the answers are partial; aim: at most {MAX_PARTIAL:.1%}"
    if trial.p99_ms > trial.control_p99_ms + MAX_EXTRA_P99_MS:
        yield f"p99 {trial.p99_ms:.0f} ms; aim: at most {trial.control_p99_ms + MAX_EXTRA_P99_MS:.0f} ms"
        if trial.out_s is None or trial.out_s > MAX_OUT_S:  # a replica that is fast enough may stay in rotation
            yield f"out of rotation after {_seconds(trial.out_s)} s; aim: {MAX_OUT_S:g} s"
    if trial.back_s is None or trial.back_s > MAX_BACK_S:
        yield f"in rotation again after {_seconds(trial.back_s)} s; aim: {MAX_BACK_S:g} s"
    if trial.second_tries > MAX_SECOND_TRIES:
        yield f"{trial.second_tries:.1%} of the rows were sent twice; aim: at most {MAX_SECOND_TRIES:.0%}"


def _table(trials: Mapping[str, Trial], rate_rps: float) -> Table:
    table = Table(title=f"One replica of {REPLICAS} at {rate_rps:g} requests per second, deadline {DEADLINE_MS:g} ms")
    table.add_column("fault")
    for column in (
        "answers",
        "full",
        "partial",
        "other",
        "control p99 ms",
        "p99 ms",
        "stuck s",
        "out s",
        "back s",
        "again",
    ):
        table.add_column(column, justify="right")
    for kind, one in trials.items():
        full, partial = one.classes["full"], one.classes["partial"]
        counts = map(str, (one.answers, full, partial, one.answers - full - partial))
        latencies = (f"{one.control_p99_ms:.0f}", f"{one.p99_ms:.0f}")
        times = map(_seconds, (one.stuck_s, one.out_s, one.back_s))
        table.add_row(kind, *counts, *latencies, *times, f"{one.second_tries:.1%}")
    return table


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
