"""The result of a replay for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console

from mesh.cli.console import count, print_line, table
from mesh.reference.logged.comparison import Difference
from mesh.reference.logged.replay import ReplayResult


def print_result(console: Console, result: ReplayResult) -> None:
    """Prints the counts, the first difference, and why decisions were not replayed."""
    details = f"{result.votes:,} votes, {result.candidates:,} scores"
    kinds = f"{result.partial:,} partial, {result.explored:,} explored"
    print_line(console, f"{result.replayed:,} decisions replayed ({kinds}): {details}")
    if result.different:
        print_line(console, f"{result.different:,} decisions differ from the log")
    elif result.replayed:
        print_line(console, "all equal to the log, to the bit")
    else:
        print_line(console, "nothing was compared with the log")
    if result.first is not None:
        print_line(console, "the first difference:")
        for line in _described(result.first):
            print_line(console, f"  {line}")
    print_skipped(console, result.skipped)


def print_skipped(console: Console, skipped: Counter[str]) -> None:
    """Prints how many decisions were left out, by the reason."""
    if not skipped:
        return
    print_line(console, f"{count(skipped.total(), 'decision')} left out:")
    rows = table(["reason"], ["decisions"])
    for reason, number in skipped.most_common():
        rows.add_row(reason, f"{number:,}")
    console.print(rows)


def _described(difference: Difference) -> Iterator[str]:
    yield f"decision {difference.decision_id} at {difference.time:%Y-%m-%d %H:%M:%S.%f} UTC"
    of_model = "" if difference.model is None else f" of {difference.model}"
    for_offer = "" if difference.offer is None else f" for {difference.offer}"
    yield f"{difference.part}{of_model}{for_offer}"
    yield f"logged   {_shown(difference.logged)}"
    yield f"replayed {_shown(difference.replayed)}"


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else repr(value)
