"""The options of `mesh explain`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mesh.cli import parser_parts as parts

TOP = 10


def add(explain: argparse.ArgumentParser) -> None:
    """Adds the options to the command."""
    explain.add_argument("decision", nargs="?", metavar="ID", help="decision_id of an answer in a decision log")
    explain.add_argument(
        "log",
        nargs="?",
        metavar="LOG",
        help="folder or s3://BUCKET/PREFIX of the decision log, or the catalog that names it",
    )
    explain.add_argument("--player", metavar="P", help="player of the catalog's store, instead of a decision")
    catalog = "catalog of the game; for a decision: where its models are, if their addresses in the log are gone"
    explain.add_argument("--catalog", type=Path, metavar="FILE", help=catalog)
    explain.add_argument(
        "--version", default="", metavar="V", help="version of the catalog (default: its only version)"
    )
    models = "for a decision: folder with files of the models, also below it, by any name"
    explain.add_argument("--models", type=Path, metavar="DIR", help=models)
    context = "for --player: context features, as in `mesh offer`; repeatable"
    explain.add_argument("--context", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=context)
    offer = "offer to explain (default for a decision: the first that was returned)"
    explain.add_argument("--offer", metavar="O", help=offer)
    against = "explain the difference to this offer: why --offer, and why not this one"
    explain.add_argument("--against", metavar="OFFER", help=against)
    explain.add_argument("--model", metavar="NAME", help="explain the raw score of one model, not that of the ensemble")
    top = "features to show, the most important first; the others are one line (default: %(default)s)"
    explain.add_argument("--top", type=parts.positive, default=TOP, metavar="N", help=top)
    explain.add_argument("--html", type=Path, metavar="FILE", help="HTML page to write: waterfalls (needs plotly)")
    parts.add_json(explain, "all contributions as one line of JSON")
