"""The options of `mesh top`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts
from mesh.tls import client_options

if TYPE_CHECKING:
    from mesh.cli.parser_parts import Commands

# The orders of the models, in the order of the key `s`.
SORTS = ("problems", "name", "misses", "waiting", "hedges", "replicas")


def add(commands: Commands, metrics: str) -> None:
    """Adds the command; `metrics` is the default address."""
    about = "show a running mesh live in the terminal: rates, latencies by stage, models, callers; press ? for the keys"
    top = parts.command(commands, "top", "mesh.cli.top.command:run", about)
    option = top.add_argument
    about = "addresses of the supervisors' metrics, separated by commas; their figures are added (default: %(default)s)"
    option("--metrics", default=[metrics], type=_addresses, metavar="ADDRESS[,...]", help=about)
    option("--filter", default="", metavar="TEXT", help="show only the models whose GAME/VERSION/MODEL contains TEXT")
    option("--sort", choices=SORTS, default=SORTS[0], help="order of the models (default: %(default)s)")
    option("--once", action="store_true", help="show the mesh one time and exit")
    parts.add_json(top, "each view as one line of JSON")
    client_options.add_metrics_options(top)


def _addresses(text: str) -> list[str]:
    found = list(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty address; give HOST:PORT, or several with commas")
    return found
