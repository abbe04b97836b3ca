"""The options of `mesh compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts
from mesh.tls import client_options

if TYPE_CHECKING:
    from mesh.cli.parser_parts import Commands


def add(commands: Commands, metrics: str) -> None:
    """Adds the command; `metrics` is the default address."""
    about = "show how a shadow version would have answered the requests of another version"
    compare = parts.command(commands, "compare", "mesh.cli.compare.command:run", about)
    option = compare.add_argument
    option("file", type=Path, metavar="FILE", help="catalog of the game")
    option("version", metavar="V", help="version whose answers are compared")
    option("shadow", metavar="W", help="version with `shadow` in the catalog; or V/MODEL, a model with `shadow`")
    about = f"address of a supervisor's metrics; repeat it to add several supervisors (default: {metrics})"
    option("--metrics", action="append", metavar="ADDRESS", help=about)
    option(
        "--seconds", type=parts.seconds, metavar="N", help="compare the next N seconds (default: all since the start)"
    )
    parts.add_json(compare, "the comparison as one line of JSON")
    client_options.add_metrics_options(compare)
