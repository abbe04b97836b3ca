"""The options of `mesh verify`."""

from __future__ import annotations

import argparse
from pathlib import Path

from mesh.cli import parser_parts as parts
from mesh.tls import client_options

PLAYERS = 100


def add(verify: argparse.ArgumentParser, address: str) -> None:
    """Adds the options to the command; `address` is the default of --address."""
    verify.add_argument("file", type=Path, metavar="FILE", help="catalog of the game")
    verify.add_argument("--version", required=True, metavar="V", help="version to verify")
    verify.add_argument("--address", default=address, help="address of the supervisor (default: %(default)s)")
    workers = (
        "where the workers are, for the golden rows: NAME=ADDRESS, repeatable; an ADDRESS with {model} in it, and "
        "{version}, which is `shared` for a member; or the endpoints file of `mesh up` (default: that of the only "
        "`mesh up` of this user that serves the version)"
    )
    verify.add_argument("--workers", nargs="+", action="extend", default=[], metavar="W", help=workers)
    players = "players to compare end to end; 0: none (default: %(default)s)"
    verify.add_argument("--players", type=parts.whole, default=PLAYERS, metavar="N", help=players)
    ids = "file with ids of players, one per line (default: players of the SQLite store)"
    verify.add_argument("--player-ids", type=Path, metavar="FILE", help=ids)
    verify.add_argument("--strict", action="store_true", help="exit with 1 also for a warning")
    parts.add_json(verify, "the report as one line of JSON")
    client_options.add_options(verify)
