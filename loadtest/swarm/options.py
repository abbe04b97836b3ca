"""Options for locust's command line and start form."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from loadtest.generators.popularity import MAX_PLAYERS
from loadtest.input_options import CANDIDATES_HELP, EXAMPLE, OFFER_IDS_HELP, PLAYER_IDS_HELP, PLAYERS_HELP
from loadtest.swarm.calls import Target
from loadtest.swarm.shapes import SHAPES
from mesh.tls import client_options
from mesh.tls.channel import ClientSecurity, client_security

SCENARIO_HELP = (
    "number of users over the run time. steady: all the time the same; step: ten equal steps up; spike: five times as "
    "many in the middle; day: a day with its peak in the evening; mixed: steady, with all games (default: steady)"
)
PREFIX = "mesh_"  # of the options of TLS: locust has its own --tls-cert and --tls-key, for its web interface
_TLS_OPTION = re.compile(r"--(tls-\w+|token-file)\b")
CATALOG_HELP = (
    "comma-separated files of the catalogs that the mesh serves: games, players (of their SQLite stores), context "
    "values and offers come from them, unless another option gives them"
)


def add_options(parser: Any) -> None:
    """Adds the options to locust's parser."""
    group = parser.add_argument_group("Options of the mesh")

    def add(name: str, **settings: Any) -> None:
        """Adds an option to the group, and to the start form as `parser.add_argument` would."""
        action = group.add_argument(name, **settings)
        action.include_in_web_ui = True
        action.is_secret = action.is_required = action.is_multiple = False

    add("--scenario", choices=sorted(SHAPES), default="steady", help=SCENARIO_HELP)
    add("--catalog", default="", metavar="FILE[,FILE]", help=CATALOG_HELP)
    add(
        "--games",
        default="",
        metavar="NAME[:WEIGHT][,...]",
        help="games; `mixed` plays all of them by weight, the other scenarios the first "
        f"(default: those of --catalog; else {EXAMPLE})",
    )
    add("--player-ids", default="", metavar="FILE", help=PLAYER_IDS_HELP)
    add("--players", type=int, default=0, metavar="N", help=PLAYERS_HELP)
    add("--zipf", type=float, default=1.0, help="Zipf exponent of the popularity of players; 0: all equal (default: 1)")
    add(
        "--context",
        default="",
        metavar="'NAME=VALUE ...'",
        help="context values separated by spaces, the same for all players; instead of values drawn from the catalog's "
        "models",
    )
    add("--offer-ids", default="", metavar="FILE", help=OFFER_IDS_HELP)
    add("--candidates", type=int, default=0, metavar="N", help=CANDIDATES_HELP)
    add("--get-offer-weight", type=int, default=9, metavar="N", help="share of GetOffer calls (default: 9)")
    add("--score-weight", type=int, default=1, metavar="N", help="share of Score calls (default: 1)")
    rate_help = "log-ins per second of each simulated user (default: 1)"
    add("--player-rate", type=float, default=1.0, metavar="RATE", help=rate_help)
    add("--deadline-ms", type=float, default=300.0, metavar="MS", help="deadline of each request (default: 300)")
    # Not in the start form: its visitors must not choose files of this machine.
    client_options.add_options(parser, PREFIX)


def target_of(host: str, options: Any) -> Target:
    """The supervisor to load; raises Misconfigured."""
    given = tuple((name, getattr(options, PREFIX + name)) for name in client_options.VARIABLES)
    return Target(host, _security(given))


def with_prefix(fault: str) -> str:
    """A fault of TLS with the names that the options have here."""
    return _TLS_OPTION.sub(rf"--{PREFIX.replace('_', '-')}\1", fault)


@lru_cache(maxsize=4)  # all users of a process share one token
def _security(given: tuple[tuple[str, str | None], ...]) -> ClientSecurity:
    return client_security(dict(given), os.environ)


def faults(options: Any) -> Iterator[str]:
    """One line for each invalid value."""
    if not 0 <= options.players <= MAX_PLAYERS:
        yield f"--players: {options.players} is not between 1 and {MAX_PLAYERS:,}, or 0 for all"
    if options.candidates < 0:
        yield f"--candidates: {options.candidates} is below 0"
    if not 0 <= options.zipf < math.inf:
        yield f"--zipf: {options.zipf:g} is below 0 or not finite"
    for name in ("player_rate", "deadline_ms"):
        if not 0 < getattr(options, name) < math.inf:
            yield f"--{name.replace('_', '-')}: {getattr(options, name):g} is not above 0 and finite"
    weights = (options.get_offer_weight, options.score_weight)
    if min(weights) < 0 or not any(weights):
        yield "--get-offer-weight and --score-weight: must be 0 or more, and one of them above 0"
