"""The tables and the JSON document of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.run.check import Verdict
from loadtest.run.knee import Step, generator_is_limit, knee_of, machine_is_starved
from loadtest.run.summary import PERCENTS, Summary

LATE_SEND_MS = 1.0
BUSY_SENDER = 0.8
HELD = 0.95

NAMES = tuple("max" if percent == 100 else f"p{percent:g}" for percent in PERCENTS)


def print_run(console: Console, summary: Summary) -> None:
    """Prints classes, latencies, stages and the models of the tail."""
    console.print(_classes_table(summary), _latencies_table(summary))
    if summary.stages_ms:
        console.print(_stages_table(summary))
    for line in summary.verdict.lines() if summary.verdict else ():
        console.print(line, markup=False, highlight=False)
    if summary.unknown:
        console.print(unknown_players(summary), markup=False, highlight=False)
    if summary.last and not summary.tail:
        console.print(f"Fewer than {summary.needed_for_tail:,} answers: too few for the models of the slowest 1 %.")
    for model, share in list(summary.tail.items())[:3]:
        console.print(
            f"Model {model} was last in {share:.0%} of the slowest 1 % ({summary.last[model]:.0%} of all answers)."
        )


def unknown_players(summary: Summary) -> str:
    """How many answers are for players that the store does not have, with examples."""
    share = summary.unknown / summary.requests
    ids = ", ".join(summary.unknown_ids)
    reason = f"{summary.unknown:,} answers ({share:.0%}) are for players that the store does not have, such as {ids}"
    return f"{reason}; set --catalog or --player-ids to ask for stored players."


def print_knee(console: Console, steps: Sequence[Step], slo_ms: float) -> None:
    """Prints every tried rate, and the knee."""
    table = Table(title="Search for the knee")
    for column in ("rate", "p99 ms", "full", "tries", "other CPU", ""):
        table.add_column(column, justify="right")
    for step in sorted(steps, key=lambda step: step.rate_rps):
        verdict = "generator was the limit" if step.is_limit else "held" if step.is_held else "missed"
        cells = (f"{step.rate_rps:,.0f}", f"{step.p99_ms:.1f}", f"{step.full:.1%}", str(step.tries))
        table.add_row(*cells, f"{step.others:.0%}", verdict)
    console.print(table)
    knee = knee_of(list(steps))
    rate = f"{knee:,.0f} requests per second" if knee else "below every tried rate"
    console.print(f"Knee for a p99 of {slo_ms:g} ms: {rate}.")


def knee_doubts(steps: Sequence[Step]) -> Iterator[str]:
    """Signs that the generator or other programs, not the mesh, limit the knee."""
    if generator_is_limit(list(steps)):
        yield "the generator limits the knee; raise --processes"
    if machine_is_starved(list(steps)):
        starved = sum(step.is_starved for step in steps)
        reason = f"other programs used the CPU of this machine before {starved} of {len(steps)} steps"
        yield f"{reason}, so the knee may be too low; end them and search again"


def doubts(summary: Summary) -> Iterator[str]:
    """Signs that the generator, not the mesh, was the limit."""
    if summary.slip_p99_ms > LATE_SEND_MS:
        yield f"the generator sent {summary.slip_p99_ms:.1f} ms late (p99); raise --processes or lower --rate"
    if summary.generator.cpu > BUSY_SENDER:
        yield f"a generator process used {summary.generator.cpu:.0%} of a core; raise --processes"
    if summary.classes["unsent"]:
        yield f"{summary.classes['unsent']:,} requests were not sent: too many were unanswered (--max-unanswered)"
    if not is_held(summary):
        yield f"the generator sent {summary.sent_rps:,.0f} requests per second instead of {summary.offered_rps:,.0f}"


def is_held(summary: Summary) -> bool:
    """Whether the generator kept the wanted rate."""
    return summary.sent_rps >= HELD * summary.offered_rps


def document(summary: Summary) -> dict[str, Any]:
    """The JSON document of a run, which `--json` prints."""
    return {
        "seconds": summary.seconds,
        "requests": summary.requests,
        "offered_rps": round(summary.offered_rps, 2),
        "sent_rps": round(summary.sent_rps, 2),
        "answered_rps": round(summary.answered_rps, 2),
        "classes": dict(summary.classes),
        "codes": dict(summary.codes),
        "unknown_players": summary.unknown,
        "latency_ms": _named(summary.latencies.from_schedule),
        "latency_from_send_ms": _named(summary.latencies.from_send),
        "slip_ms": _named(summary.latencies.slip),
        "stages_ms": {
            stage: dict(zip(("p50", "p95", "p99"), (round(value, 3) for value in values), strict=True))
            for stage, values in summary.stages_ms.items()
        },
        "last_model": {model: round(share, 4) for model, share in summary.last.items()},
        "last_model_of_slowest_1_percent": {model: round(share, 4) for model, share in summary.tail.items()},
        "generator": {
            "processes": summary.generator.processes,
            "cpu_cores": round(summary.generator.cpu, 3),
            "priority": summary.generator.priority,
        },
        "doubts": list(doubts(summary)),
    } | ({} if summary.verdict is None else {"check": _check(summary.verdict)})


def _check(verdict: Verdict) -> dict[str, Any]:
    return {"compared": verdict.compared, "wrong": len(verdict.wrong), "not_compared": dict(verdict.uncompared)}


def knee_document(steps: Sequence[Step], slo_ms: float) -> dict[str, Any]:
    """The JSON document of a search for the knee."""
    tried = [
        {"rate_rps": round(step.rate_rps, 1), "p99_ms": round(step.p99_ms, 2), "full": step.full, "held": step.is_held}
        | {"generator_was_limit": step.is_limit, "tries": step.tries, "other_cpu": round(step.others, 3)}
        for step in steps
    ]
    tries = list(steps)
    knee = {"knee_rps": knee_of(tries), "generator_was_limit": generator_is_limit(tries)}
    return {"slo_ms": slo_ms, **knee, "machine_was_starved": machine_is_starved(tries), "steps": tried}


def _named(values: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in zip(NAMES, values, strict=True)}


def _classes_table(summary: Summary) -> Table:
    title = f"{summary.requests:,} requests in {summary.seconds:g} s: {summary.offered_rps:,.0f} per second offered"
    table = Table(title=f"{title}, {summary.answered_rps:,.0f} answered")
    for column in ("class", "requests", "share"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for name, count in summary.classes.items():
        table.add_row(name, f"{count:,}", f"{count / summary.requests:.2%}")
    return table


def _latencies_table(summary: Summary) -> Table:
    table = Table(title="Latency, ms")
    for column in ("counted from", *NAMES):
        table.add_column(column, justify="left" if column == "counted from" else "right")
    latencies = summary.latencies
    table.add_row("the schedule", *(f"{value:,.1f}" for value in latencies.from_schedule))
    table.add_row("the send", *(f"{value:,.1f}" for value in latencies.from_send), style="dim")
    table.add_row("send delay", *(f"{value:,.2f}" for value in latencies.slip), style="dim")
    return table


def _stages_table(summary: Summary) -> Table:
    table = Table(title="In the supervisor, ms")
    for column in ("stage", "p50", "p95", "p99"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for stage, values in summary.stages_ms.items():
        table.add_row(stage, *(f"{value:,.2f}" for value in values))
    return table
