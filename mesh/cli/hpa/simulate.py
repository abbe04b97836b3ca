"""`mesh hpa simulate`: what each HPA does under a load, what callers get, and what it costs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.table import Table

from autoscaling.cluster import report_page, runs
from autoscaling.cluster.controller import rules
from autoscaling.cluster.monolith import Monolith, monolith
from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.results import GameResult, Track, summary
from autoscaling.cluster.runs import Input
from autoscaling.explain import explain
from mesh import plot_page
from mesh.cli import console
from mesh.cli.hpa import inputs, progress
from mesh.cli.main import DONE


def run(arguments: argparse.Namespace) -> int:
    """Simulates, and prints a table for each game; `--out` writes the page."""
    if arguments.out is not None:
        plot_page.must_be_possible(arguments.out)
    what = inputs.read(arguments)
    with progress.shown("simulating") as tell:
        results = runs.by_seeds(what, arguments.seeds, tell)
        fixed = [_at_peak(what, results[0])] if arguments.fixed else []
    first, remark = results[0], inputs.remark(arguments)
    words = reasons(what, first)
    if arguments.out is not None:
        plot_page.write(arguments.out, report_page.page(first, words, remark))
    beside = [_monolith(what, number, result) for number, result in enumerate(first)]
    if arguments.json:
        print(json.dumps([_as_json(*one, words) for one in zip(first, beside, strict=True)]))
    else:
        _print(first, beside, fixed)
        print(remark, file=sys.stderr)
    for line in runs.differences(results):
        print(f"varies: {line}", file=sys.stderr)
    if len(results) == 1:
        print("one seed: --seeds 5 tells how much chance has to do with it", file=sys.stderr)
    return DONE


def reasons(what: Input, results: Sequence[GameResult]) -> dict[str, list[str]]:
    """The words of each Deployment's rescales."""
    found: dict[str, list[str]] = {}
    for (catalog, load), result in zip(what.games, results, strict=True):
        hpas = rules(catalog)
        for track in result.tracks:
            hpa = hpas[track.name]
            found[track.name] = ["\n".join(explain(hpa, one.reasoning, load.clock)) for one in track.rescales]
    return found


def _at_peak(what: Input, results: Sequence[GameResult]) -> list[GameResult]:
    """The same load on as many replicas, all the time, as each Deployment had at its most."""
    peak = {name: count for result in results for name, count in result.peak_replicas().items()}
    (again,) = runs.each([replace(what, settings=replace(what.settings, fixed=peak))], lambda _: None)
    return again


def _monolith(what: Input, number: int, result: GameResult) -> Monolith:
    catalog, _ = what.games[number]
    version = max(catalog.versions, key=lambda name: catalog.versions[name].traffic)
    ours = [what.costs[catalog.game, version, model.name] for model in catalog.versions[version].models]
    return monolith(ours, what.settings.offers, float(result.rps.max()), result.hours)


def _print(results: Sequence[GameResult], beside: Sequence[Monolith], fixed: Sequence[Sequence[GameResult]]) -> None:
    out = console.stdout()
    for number, result in enumerate(results):
        out.print(_deployments(result))
        out.print(_sums(result, beside[number], fixed[0][number] if fixed else None))


def _deployments(result: GameResult) -> Table:
    right = ("replicas min", "mean", "max", "CPU %", "target", "at max %", "rescales", "late votes %")
    table = console.table((f"{result.game}, {result.hours:g} h",), right)
    for track in result.tracks:
        table.add_row(*_row(track, result))
    return table


def _row(track: Track, result: GameResult) -> tuple[str, ...]:
    counts = track.replicas
    return (
        track.name,
        f"{counts.min():.0f}",
        f"{counts.mean():.1f}",
        f"{counts.max():.0f}",
        f"{track.percent.mean():.0f}",
        "-" if track.target_percent is None else str(track.target_percent),
        f"{100 * (counts >= track.max_replicas).mean():.1f}",
        str(len(track.rescales)),
        f"{100 * result.late_share(track):.2f}",
    )


def _sums(result: GameResult, beside: Monolith, fixed: GameResult | None) -> Table:
    right = ("p50 ms", "p95", "p99", "full %", "partial %", "fallback %", "replica h", "core h", "GiB h")
    table = console.table(("the whole",), right)
    table.add_row("these HPAs", *_figures(result))
    if fixed is not None:
        table.add_row("fixed at the peak", *_figures(fixed))
    blank = ("-",) * 6
    hours = f"{beside.copies * result.hours:,.0f}"
    costs = (hours, f"{beside.core_hours:,.0f}", f"{beside.memory_gb_hours:,.0f}")
    table.add_row(f"monolith, {beside.copies} copies", f"{1000 * beside.request_s:.1f}", *blank[1:], *costs)
    return table


def _figures(result: GameResult) -> tuple[str, ...]:
    sums = summary(result)
    times = (f"{sums[key]:.1f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
    shares = (f"{100 * sums[key]:.3f}" for key in ("full", "partial", "fallback"))
    costs = (f"{sums[key]:,.0f}" for key in ("replica_hours", "core_hours", "memory_gb_hours"))
    return (*times, *shares, *costs)


def _as_json(result: GameResult, beside: Monolith, words: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    return {
        "game": result.game,
        "load": result.load,
        "start_s": result.start_s,
        "step_s": result.step_s,
        "sums": summary(result),
        "monolith": asdict(beside),
        "rps": _rounded(result.rps),
        "p95_ms": _rounded(1000 * result.p95_s),
        "full": _rounded(result.full),
        "deployments": [_track_as_json(track, words[track.name]) for track in result.tracks],
    }


def _track_as_json(track: Track, words: Sequence[str]) -> dict[str, Any]:
    changes = [
        {"at_s": one.at_s, "from": one.before, "to": one.after, "why": text.splitlines()}
        for one, text in zip(track.rescales, words, strict=True)
    ]
    return {
        "name": track.name,
        "min": track.min_replicas,
        "max": track.max_replicas,
        "target_percent": track.target_percent,
        "replicas": track.replicas.astype(int).tolist(),
        "ready": track.ready.astype(int).tolist(),
        "cpu_percent": _rounded(track.percent),
        "rescales": changes,
    }


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]
