"""The options of `mesh decisions replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts

if TYPE_CHECKING:
    import argparse


def add_to(replay: argparse.ArgumentParser) -> None:
    """Adds the options, except those that name the log."""
    option = replay.add_argument
    catalog = "catalog that names files of the models; repeatable (default: the addresses in the log)"
    option("--from", dest="since", metavar="TIME", help="first time, a date or ISO 8601, UTC (default: all)")
    option("--to", dest="until", metavar="TIME", help="time before which the decisions were made (default: all)")
    option("--catalog", action="append", type=Path, default=[], metavar="FILE", help=catalog)
    option("--models", type=Path, metavar="DIR", help="folder with files of the models, also below it, by any name")
    option("--limit", type=parts.positive, metavar="N", help="replay at most N decisions (default: all)")
    sample = "percent of the decisions to replay, chosen by their ids (default: 100)"
    option("--sample", type=parts.percent, default=100.0, metavar="PERCENT", help=sample)
    version = (
        "score the decisions with this version instead: of the catalog, else of the log; what would it have shown?"
    )
    option("--version", metavar="W", help=version)
    within = "with --version: hours after a decision in which a purchase counts (default: %(default)g)"
    option("--within", type=parts.hours, default=24.0, metavar="HOURS", help=within)
    page = "with --version: HTML page to write: plots of the estimates, the scores and the offers"
    option("--html", type=Path, metavar="FILE", help=page)
    parts.add_json(replay, "the result as one line of JSON")
