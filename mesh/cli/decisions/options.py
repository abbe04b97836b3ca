"""The options of the commands of `mesh decisions`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts
from mesh.cli.decisions.replay import options as replay_options

if TYPE_CHECKING:
    import argparse

    from mesh.cli.parser_parts import Commands

GROUPINGS = ("version", "arm", "source", "offer", "caller", "supervisor", "day")
LOG = "folder or s3://BUCKET/PREFIX of the decision log"


def add(commands: Commands) -> None:
    """Adds the group with its commands."""
    about = "report conversion and revenue from a decision log, and show and replay its decisions"
    decisions = parts.group(commands, "decisions", about)
    _add_report(decisions)
    _add_replay(decisions)
    _add_show(decisions)


def _add_report(decisions: Commands) -> None:
    about = "report conversion and revenue by version, with intervals"
    report = parts.command(decisions, "report", "mesh.cli.decisions.report:run", about)
    option = report.add_argument
    option("log", nargs="?", metavar="LOG", help=f"{LOG}, or the catalog that names it")
    option("--catalog", type=Path, metavar="FILE", help="catalog that names the log and the planned shares")
    option("--game", metavar="NAME", help="game of the log (default: its only game)")
    option("--from", dest="since", metavar="TIME", help="first time, a date or ISO 8601, UTC (default: all)")
    option("--to", dest="until", metavar="TIME", help="time before which the decisions were made (default: all)")
    groups = "group by: version (and the holdout), arm (also explored against best), ... (default: %(default)s)"
    option("--by", choices=GROUPINGS, default=GROUPINGS[0], help=groups)
    option("--baseline", metavar="GROUP", help="group to compare with (default: the holdout, else the first version)")
    method = "method of the decisions (default: %(default)s)"
    option("--method", choices=("GetOffer", "Score"), default="GetOffer", help=method)
    within = "hours after a decision in which an outcome counts (default: %(default)g)"
    option("--within", type=parts.hours, default=24.0, metavar="HOURS", help=within)
    option("--html", type=Path, metavar="FILE", help="HTML page to write: plots of the intervals and the differences")
    parts.add_json(report, "the report as one line of JSON")


def _add_replay(decisions: Commands) -> None:
    about = (
        "score logged decisions again, and compare the results with the log; "
        "exit code 1 if one differs, or if none could be compared"
    )
    replay = parts.command(decisions, "replay", "mesh.cli.decisions.replay.command:run", about)
    add_log(replay)
    replay_options.add_to(replay)


def _add_show(decisions: Commands) -> None:
    about = "show one decision: who saw what, why, from which inputs, and what became of it"
    show = parts.command(decisions, "show", "mesh.cli.decisions.show:run", about)
    show.add_argument("decision", metavar="ID", help="decision_id of an answer")
    show.add_argument("log", metavar="LOG", help=f"{LOG}, or the catalog that names it")
    show.add_argument("--top", type=parts.positive, default=10, metavar="N", help="candidates to show (default: 10)")
    parts.add_json(show, "the whole decision as one line of JSON")


def add_log(command: argparse.ArgumentParser) -> None:
    """Adds the options that name the log and the game in it."""
    command.add_argument("log", metavar="LOG", help=f"{LOG}, or the catalog that names it")
    command.add_argument("--game", metavar="NAME", help="game of the log (default: its only game)")
