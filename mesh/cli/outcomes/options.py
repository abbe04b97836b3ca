"""The options of `mesh outcome`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mesh.cli import parser_parts as parts
from mesh.tls import client_options

if TYPE_CHECKING:
    from mesh.cli.parser_parts import Commands

KINDS = ("shown", "clicked", "purchased")


def add(commands: Commands, address: str) -> None:
    """Adds the command; `address` is the default of --address."""
    about = "report what a player did with an offer: one outcome by its options, or the outcomes of a file"
    outcome = parts.command(commands, "outcome", "mesh.cli.outcomes.command:run", about)
    decision = "decision that the outcome belongs to, as in the answer"
    outcome.add_argument("decision_id", nargs="?", default="", metavar="DECISION_ID", help=decision)
    outcome.add_argument("--game", required=True, help="game as named in its catalog")
    request = "request that the outcome belongs to, in place of DECISION_ID"
    outcome.add_argument("--request-id", default="", metavar="ID", help=request)
    outcome.add_argument("--kind", choices=KINDS, help="what the player did")
    outcome.add_argument("--value", type=float, metavar="AMOUNT", help="what the player paid; only for purchased")
    outcome.add_argument("--currency", default="", metavar="CODE", help="ISO 4217 code of the value, such as USD")
    first = "offer that was shown, clicked or purchased (default: the first offer of the answer)"
    outcome.add_argument("--offer", default="", metavar="ID", help=first)
    outcome.add_argument("--time", default="", metavar="TIME", help="when it happened, in ISO 8601 (default: now)")
    named = "id of the outcome: reports with equal ids count once (default: made of the other ids and the kind)"
    outcome.add_argument("--outcome-id", default="", metavar="ID", help=named)
    file = "report the outcomes of a .csv or .jsonl file; its columns are the fields of ReportOutcomeRequest"
    outcome.add_argument("--file", type=Path, metavar="FILE", help=file)
    outcome.add_argument("--address", default=address, help="address of the supervisor (default: %(default)s)")
    parts.add_json(outcome, "the result as one line of JSON")
    client_options.add_options(outcome)
