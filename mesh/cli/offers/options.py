"""The options of `mesh offer` and `mesh score`."""

from __future__ import annotations

import argparse

from mesh.cli import parser_parts as parts
from mesh.tls import client_options


def add_offer(offer: argparse.ArgumentParser, address: str) -> None:
    """Adds the options of `mesh offer`; `address` is the default of --address."""
    _add_request(offer, address)
    offer.add_argument(
        "--offer", action="append", default=[], metavar="ID", help="offer to rank; repeatable (default: all offers)"
    )
    offer.add_argument("--limit", type=parts.positive, default=1, metavar="N", help="offers to return (default: 1)")


def add_score(score: argparse.ArgumentParser, address: str) -> None:
    """Adds the options of `mesh score`; `address` is the default of --address."""
    _add_request(score, address)
    score.add_argument("--offer", default="", metavar="ID", help="offer to score (default: the fallback offer)")


def _add_request(command: argparse.ArgumentParser, address: str) -> None:
    command.add_argument("--game", required=True, help="game as named in its catalog")
    command.add_argument("--player", required=True, metavar="ID", help="id of the player")
    command.add_argument(
        "--context",
        nargs="+",
        action="extend",
        default=[],
        metavar="K=V",
        help="context features: each true, false, a number or a text; write K='\"12\"' to send 12 as text; repeatable",
    )
    command.add_argument(
        "--version", default="", metavar="V", help="version of the game (default: chosen by the traffic shares)"
    )
    command.add_argument("--address", default=address, help="address of the supervisor (default: %(default)s)")
    command.add_argument(
        "--deadline-ms",
        type=parts.milliseconds,
        metavar="N",
        help="deadline of the request (default: the game's budget)",
    )
    parts.add_json(command, "the answer as one line of JSON")
    client_options.add_options(command)
