"""Formats the comparison of a version and its shadow as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from mesh.cli.compare.comparison import SHARES, SIDES, Comparison
from mesh.cli.console import table


def tables(one: Comparison) -> Group:
    """Returns a table of the order of the offers, one of both sides, and lines about missing and dropped requests."""
    return Group(
        Text(f"{one.game}: {one.compared:,} requests of {one.version} were also scored by {one.shadow}"),
        "",
        _order(one),
        "",
        _sides(one),
        "",
        *map(Text, _lines(one)),
    )


def _order(one: Comparison) -> Table:
    found = table((), ("ranked requests", "same best", "rank correlation", "its p10", "score difference", "absolute"))
    found.add_row(
        f"{one.ranked:,}",
        _percent(one.same_best),
        _number(one.rank_correlation),
        _number(one.rank_correlation_p10),
        _number(one.difference_mean),
        _number(one.difference_absolute),
    )
    return found


def _sides(one: Comparison) -> Table:
    found = table(("scores of",), ("mean", *SHARES, "missing votes", "votes p50 ms", "votes p99 ms"))
    for side, name in zip(SIDES, (one.version, one.shadow), strict=True):
        figures = one.sides[side]
        found.add_row(
            name,
            _number(figures.score_mean),
            *map(_number, figures.score_quantiles.values()),
            _percent(figures.partial),
            _number(figures.p50_ms),
            _number(figures.p99_ms),
        )
    found.add_row("difference", _number(one.difference_mean), *map(_number, one.difference_quantiles.values()))
    return found


def _lines(one: Comparison) -> Iterator[str]:
    if one.score_distance is not None:
        yield f"largest difference of the cumulative distributions of the scores: {one.score_distance:.3f}"
    if one.missing:
        shares = ", ".join(f"{model} {share:.1%}" for model, share in sorted(one.missing.items()))
        yield f"requests without a vote of a model of {one.shadow}: {shares}"
    others = {name: count for name, count in one.outcomes.items() if count and name != "compared"}
    if others:
        yield "not compared: " + ", ".join(f"{count:,} {name}" for name, count in others.items())


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
