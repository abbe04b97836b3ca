"""The options of `loadtest run` that choose the game, its players, their context and their candidates."""

from __future__ import annotations

import argparse
from pathlib import Path

from loadtest.game_inputs import PLAYERS, Chosen, GameInputs, inputs_of
from loadtest.options import positive_int

EXAMPLE = "dragonfall"  # the game of `make up`
CATALOG_HELP = (
    "catalog that the mesh serves: game, players (of its SQLite store), context values and offers come from it, "
    "unless another option gives them"
)
PLAYERS_HELP = f"number of players, drawn by Zipf's law (default: all of the file or store; else {PLAYERS:,})"
PLAYER_IDS_HELP = "file of player ids, one per line, most popular first (default: player-00000, player-00001, ...)"
OFFER_IDS_HELP = "file of offer ids, one per line, to send as candidates (default: none, so the mesh ranks all offers)"
CANDIDATES_HELP = (
    "number of candidates of a request, drawn for each player from --offer-ids or from the catalog's offers"
)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add = parser.add_argument
    add("--catalog", type=Path, metavar="FILE", help=CATALOG_HELP)
    add("--game", default="", help=f"name of the game (default: that of --catalog; else {EXAMPLE})")
    add("--players", type=positive_int, metavar="N", help=PLAYERS_HELP)
    add("--player-ids", type=Path, metavar="FILE", help=PLAYER_IDS_HELP)
    context_help = "context values, the same for all players; instead of values drawn from the catalog's models"
    add("--context", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=context_help)
    add("--offer-ids", type=Path, metavar="FILE", help=OFFER_IDS_HELP)
    add("--candidates", type=positive_int, default=0, metavar="N", help=CANDIDATES_HELP)


def chosen_inputs(options: argparse.Namespace) -> GameInputs:
    """The inputs; raises CannotMeasure or Misconfigured with the option that is wrong."""
    names = ("catalog", "player_ids", "players", "context", "offer_ids", "candidates")
    chosen = Chosen(**{name: getattr(options, name) for name in names})
    return inputs_of(chosen, options.game or ("" if options.catalog else EXAMPLE))
