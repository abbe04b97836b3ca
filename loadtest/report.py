"""The report of a command: its JSON document, its tables for people, and the aims with their results."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from loadtest.measurement.aims import Aim, aims_table
from mesh import plot_page
from mesh.cli.console import stdout


@dataclass(frozen=True, slots=True)
class Report:
    """`blocks` are printed one after the other, then the table of `aims`, if there are any."""

    document: Mapping[str, object]
    blocks: Sequence[Table | str]
    aims: Sequence[Aim] = ()


def publish(report: Report, options: argparse.Namespace) -> None:
    """Writes the document to `--out` and prints the tables, or the document with `--json`."""
    write_json(options.out, report.document)
    if options.json:
        print(json.dumps(report.document))
        return
    console = stdout()
    for block in report.blocks:
        console.print(block, highlight=False)
    if report.aims:
        console.print(aims_table(report.aims))


def as_json(value: object) -> str:
    """Returns `value` as JSON; dataclasses become objects, also inside of it.

    `dataclasses.asdict` makes a Counter of pairs out of a Counter (python/cpython#79721), which JSON cannot have.
    """
    return json.dumps(value, default=_fields)


def _fields(value: Any) -> dict[str, object]:
    return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Writes `document` to `path` and creates its folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def origin() -> dict[str, str]:
    """Returns the facts of a page that this command line writes: date, version and command."""
    return plot_page.origin("python -m loadtest", sys.argv[1:], datetime.now(UTC))
