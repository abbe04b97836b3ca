"""Prints the results of the demo."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from examples.dragonfall.backend import Answer
from examples.dragonfall.offers import FALLBACK
from examples.dragonfall.results import Latency, Results, Revenue


def show(results: Results, console: Console) -> None:
    """Prints the answers, the latencies and the revenue."""
    console.print(_answers(results.sample))
    console.print(_latencies(results.latencies))
    counts = ", ".join(f"{count} {source}" for source, count in sorted(results.sources.items()))
    console.print(f"Answers by source: {counts}.", highlight=False)
    console.print(as_text(results.revenue), highlight=False)


def as_text(revenue: Revenue) -> str:
    """Describes the value of personalised offers, for a reader who does not know ensembles."""
    times = revenue.personalised / revenue.fallback
    return (
        f"Average revenue per log-in, according to the simulation ({revenue.logins} log-ins): "
        f"${revenue.personalised:.2f} with personalised offers and "
        f"${revenue.fallback:.2f} with {FALLBACK} for everybody. Personalised offers earn {times:.1f} times as much. "
        f"For comparison: the best single offer for everybody, {revenue.best_for_all_id}, earns "
        f"${revenue.best_for_all:.2f}, and the best possible offer for each player earns ${revenue.all_knowing:.2f}."
    )


def _answers(sample: Sequence[Answer]) -> Table:
    table = Table(title="Offers from the mesh", title_justify="left")
    for column in ("player", "offer"):
        table.add_column(column)
    table.add_column("expected revenue", justify="right")
    table.add_column("source")
    table.add_column("latency", justify="right")
    for answer in sample:
        table.add_row(
            answer.player_id,
            answer.offer_id,
            _dollars(answer.expected_revenue_usd),
            answer.source,
            f"{answer.latency_ms:.1f} ms",
        )
    return table


def _dollars(amount_usd: float | None) -> str:
    return "-" if amount_usd is None else f"${amount_usd:.2f}"


def _latencies(latencies: Sequence[Latency]) -> Table:
    table = Table(title="Latency, measured by the caller", title_justify="left")
    for column in ("callers", "requests", "p50", "p95", "p99"):
        table.add_column(column, justify="right")
    for row in latencies:
        percentiles = (f"{value_ms:.1f} ms" for value_ms in (row.p50_ms, row.p95_ms, row.p99_ms))
        table.add_row(str(row.callers), str(row.requests), *percentiles)
    return table
