"""The options of `mesh drift`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts
from mesh.tls import client_options

if TYPE_CHECKING:
    from mesh.cli.parser_parts import Commands


def add(commands: Commands, metrics: str) -> None:
    """Adds the command; `metrics` is the default address."""
    about = "show which features and scores of a running mesh differ from the training; exit code 1 if any"
    drift = parts.command(commands, "drift", "mesh.cli.drift.show:run", about)
    address = f"address of a supervisor's metrics; repeat it to add several supervisors (default: {metrics})"
    drift.add_argument("--metrics", action="append", metavar="ADDRESS", help=address)
    drift.add_argument("--game", metavar="NAME", help="show only this game")
    drift.add_argument("--version", metavar="V", help="show only this version")
    parts.add_json(drift, "all figures as one line of JSON")
    client_options.add_metrics_options(drift)
    more = drift.add_subparsers(title="commands", metavar="COMMAND")
    about = "make the reference of a version from rows of its training"
    reference = parts.command(more, "reference", "mesh.cli.drift.make:run", about)
    rows = ".parquet file with the features of the training, as the models received them"
    reference.add_argument("rows", type=Path, metavar="ROWS", help=rows)
    reference.add_argument("--catalog", type=Path, required=True, metavar="FILE", help="catalog of the game")
    reference.add_argument(
        "--version", required=True, metavar="V", help="version of the catalog, which names the models"
    )
    reference.add_argument("--to", type=Path, required=True, metavar="FILE", help="reference to write, a .json file")
    left_out = "feature to leave out, because it follows the clock or the caller, not the training; repeatable"
    reference.add_argument("--exclude", action="append", default=[], metavar="FEATURE", help=left_out)
