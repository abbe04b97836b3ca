"""The options of `mesh compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mesh.cli import parser_parts as parts


def add_to(compare: argparse.ArgumentParser, metrics: str) -> None:
    """Adds the options; `metrics` is the default address."""
    add = compare.add_argument
    add("file", type=Path, metavar="FILE", help="catalog of the game")
    add("version", metavar="V", help="version whose answers are compared")
    add("shadow", metavar="W", help="version with `shadow` in the catalog")
    about = f"address of a supervisor's metrics; repeat it to add several supervisors (default: {metrics})"
    add("--metrics", action="append", metavar="ADDRESS", help=about)
    add("--seconds", type=parts.seconds, metavar="N", help="compare the next N seconds (default: all since the start)")
    parts.add_json(compare, "the comparison as one line of JSON")
