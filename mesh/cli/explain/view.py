"""Prints an explanation as tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mesh.cli import console
from mesh.cli.console import print_line
from mesh.cli.explain.report import Report
from mesh.cli.explain.waterfall import Waterfall
from mesh.reference.accounts import Account, Member, values_of
from mesh.reference.explanation import Explanation

_IN_MODEL = 3  # most important features in the line of a model


def print_report(report: Report, top: int) -> None:
    """Prints the subject, the account of the ensemble or of the chosen model, and a line for each model."""
    out = console.stdout()
    print_line(out, ", ".join(f"{name} {fact}" for name, fact in report.subject.facts.items()))
    for explained in report.explained:
        print_line(out, headline(explained))
    for note in report.subject.notes:
        print_line(out, note)
    for drawn in report.waterfalls(top):
        print_line(out, "")
        _print_waterfall(out, drawn, [one.case.offer for one in report.explained])
    print_line(out, "")
    print_line(out, report.meaning)
    if report.model is None:
        print_line(out, "")
        out.print(_models(report))


def headline(explained: Explanation) -> str:
    """Returns the offer with its score and revenue, as a line."""
    case, score = explained.case, explained.score
    parts = ["score -" if score is None else f"score {score:.6g}"]
    if case.price is not None and score is not None and case.price == case.price:
        parts.append(f"expected revenue {score * case.price:.4f} at the price {case.price:g}")
    subject = "" if case.offer is None else f"offer {case.offer}: "
    return subject + ", ".join(parts)


def equation(drawn: Waterfall) -> str:
    """Returns the sum of a waterfall, as a line."""
    total = sum(step.contribution for step in drawn.steps)
    return f"{drawn.title}: {drawn.unit} {drawn.raw:.6g} = base {drawn.base:.6g} {total:+.6g} of the features"


def _print_waterfall(out: Console, drawn: Waterfall, offers: Sequence[str | None]) -> None:
    print_line(out, equation(drawn))
    names = ["value"] if len(offers) == 1 else [f"with {offer}" for offer in offers]
    found = console.table(("feature", *names), ("contribution",))
    for step in drawn.steps:
        values = step.values or ("",) * len(names)
        found.add_row(Text(step.name), *(Text(value) for value in values), f"{step.contribution:+.4g}")
    out.print(found)


def _models(report: Report) -> Table:
    """A line for each model; of the difference if two offers are compared."""
    offers = [one.case.offer for one in report.explained]
    names = ("score",) if len(offers) == 1 else tuple(f"score of {offer}" for offer in offers)
    figures = ("raw score", "base") if len(offers) == 1 else ("difference of the raw scores",)
    found = console.table(("model",), (*names, "share", *figures))
    found.add_column("most important features")
    account = report.explained[0].account
    shares = account.models if isinstance(account, Account) else {}
    for at, member in enumerate(report.members):
        votes = (_number(one.members[at].vote) for one in report.explained)
        share = f"{shares.get(member.name, 0.0):.3g}" if shares else "-"
        known = member.contributions
        numbers = (known.raw, known.base) if known else (None, None)
        found.add_row(Text(member.name), *votes, share, *map(_number, numbers[: len(figures)]), _most(member))
    return found


def _most(member: Member) -> Text:
    if member.contributions is None:
        return Text(member.problem.partition(";")[0])
    values = values_of(member)
    best = sorted((name for name in values if values[name]), key=lambda name: -abs(values[name]))[:_IN_MODEL]
    return Text(", ".join(f"{name} {values[name]:+.3g}" for name in best))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
