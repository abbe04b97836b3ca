"""`mesh hpa simulate`: simulates the HPAs under a load, and shows replicas, answers and costs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from rich.table import Table

from autoscaling.cluster import report_page, result_json, runs
from autoscaling.cluster.monolith import Monolith, monoliths
from autoscaling.cluster.results import DeploymentSeries, GameResult, summary
from autoscaling.cluster.simulated_decision import explanations
from mesh import plot_page
from mesh.cli import console
from mesh.cli.hpa import progress, simulation_arguments
from mesh.cli.main import DONE


def run(arguments: argparse.Namespace) -> int:
    """Simulates, and prints the tables of each game; with `--out` also writes the page."""
    if arguments.out is not None:
        plot_page.check_output(arguments.out)
    given = simulation_arguments.read(arguments)
    with progress.shown("simulating") as show:
        results = runs.run_seeds(given, arguments.seeds, show)
        fixed = runs.run_fixed_at_peak(given, results[0]) if arguments.fixed else None
    first, remark = results[0], simulation_arguments.remark(arguments)
    explained = explanations(given, first)
    if arguments.out is not None:
        facts = {"Assumptions": remark} | simulation_arguments.origin(sys.argv[1:])
        plot_page.write(arguments.out, report_page.page(first, explained, facts))
    compared = monoliths(given, first)
    if arguments.json:
        print(json.dumps([result_json.as_json(*one, explained) for one in zip(first, compared, strict=True)]))
    else:
        _print(first, compared, fixed)
        print(remark, file=sys.stderr)
    for line in runs.notable_spreads(results):
        print(f"varies with the seed: {line}", file=sys.stderr)
    if len(results) == 1:
        print("simulated with one seed; --seeds 5 shows how much the results vary", file=sys.stderr)
    return DONE


def _print(results: Sequence[GameResult], compared: Sequence[Monolith], fixed: Sequence[GameResult] | None) -> None:
    out = console.stdout()
    for number, result in enumerate(results):
        out.print(_deployments(result))
        out.print(_totals(result, compared[number], None if fixed is None else fixed[number]))


def _deployments(result: GameResult) -> Table:
    right = (
        "replicas min",
        "mean",
        "max",
        "CPU %",
        "target",
        "time at max %",
        "rescales",
        "answers without its vote %",
    )
    table = console.table((f"{result.game}, {_duration(result.hours)}",), right)
    for deployment in result.deployments:
        table.add_row(*_row(deployment, result))
    return table


def _duration(hours: float) -> str:
    return f"{hours:g} h" if hours >= 1 else f"{60 * hours:g} min"


def _row(deployment: DeploymentSeries, result: GameResult) -> tuple[str, ...]:
    counts = deployment.replicas
    return (
        deployment.name,
        f"{counts.min():.0f}",
        f"{counts.mean():.1f}",
        f"{counts.max():.0f}",
        f"{deployment.percent.mean():.0f}",
        "-" if deployment.target_percent is None else str(deployment.target_percent),
        f"{100 * (counts >= deployment.max_replicas).mean():.1f}",
        str(len(deployment.rescales)),
        f"{100 * result.late_share(deployment):.2f}",
    )


def _totals(result: GameResult, monolith: Monolith, fixed: GameResult | None) -> Table:
    right = ("p50 ms", "p95", "p99", "full %", "partial %", "fallback %", "replica h", "core h", "GiB h")
    table = console.table(("total",), right)
    table.add_row("these HPAs", *_figures(result))
    if fixed is not None:
        table.add_row("fixed at the peak", *_figures(fixed))
    unknown = ("-",) * 5
    hours = f"{monolith.copies * result.hours:,.0f}"
    costs = (hours, f"{monolith.core_hours:,.0f}", f"{monolith.memory_gb_hours:,.0f}")
    table.add_row(
        f"monolith, {console.count(monolith.copies, 'copy', 'copies')}",
        f"{1000 * monolith.request_s:.1f}",
        *unknown,
        *costs,
    )
    return table


def _figures(result: GameResult) -> tuple[str, ...]:
    totals = summary(result)
    times = (f"{totals[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
    shares = (f"{100 * totals[key]:.3f}" for key in ("full", "partial", "fallback"))
    costs = (f"{totals[key]:,.0f}" for key in ("replica_hours", "core_hours", "memory_gb_hours"))
    return (*times, *shares, *costs)
