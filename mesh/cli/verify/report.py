"""The report of `mesh verify`: one line for each check, as a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rich.text import Text

from mesh.cli.console import count, print_line, stdout, table

Part = Literal["golden rows", "players", "inputs"]
Result = Literal["equal", "skipped", "warning", "different"]
_STYLES = {"equal": "green", "skipped": "dim", "warning": "yellow", "different": "red"}


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its part, its subject (a model, a feature), and its result with the details."""

    part: Part
    subject: str
    result: Result
    detail: str


def has_failed(checks: Sequence[Check], strict: bool) -> bool:
    """Whether a check found a difference; with `strict`, also whether one has a warning."""
    return any(check.result == "different" or (strict and check.result == "warning") for check in checks)


def print_report(game: str, version: str, checks: Sequence[Check], failed: bool, as_json: bool) -> None:
    """Prints the checks and a summary to stdout."""
    if as_json:
        ok = {"event": "verified", "game": game, "version": version, "ok": not failed}
        print(json.dumps({**ok, "checks": [asdict(check) for check in checks]}))
        return
    rows = table(("check", "subject", "result", "detail"))
    for check in checks:
        cells = (check.part, check.subject, check.result, check.detail)
        rows.add_row(*map(Text, cells[:2]), Text(check.result, style=_STYLES[check.result]), Text(check.detail))
    console = stdout()
    console.print(rows)
    print_line(console, f"{game}, version {version}: {_summary(checks)}")


def _summary(checks: Sequence[Check]) -> str:
    different = sum(check.result == "different" for check in checks)
    warnings = sum(check.result == "warning" for check in checks)
    skipped = sum(check.result == "skipped" for check in checks)
    more = f", {count(warnings, 'warning')}, {skipped} skipped"
    return (f"{count(different, 'check')} found a difference" if different else "no difference") + more
