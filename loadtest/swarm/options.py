"""Options for locust's command line and start form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from loadtest.generators.popularity import MAX_PLAYERS
from loadtest.swarm.shapes import SHAPES


def add_options(parser: Any) -> None:
    """Adds the options to locust's parser."""
    add = parser.add_argument
    scenarios = sorted(SHAPES)
    add("--scenario", choices=scenarios, default="steady", help="number of users over the run time")
    add(
        "--games",
        default="dragonfall",
        help="comma-separated NAME or NAME:WEIGHT; `mixed` uses all games, the other scenarios the first",
    )
    add("--get-offer-weight", type=int, default=9, help="GetOffer calls for each --score-weight Score calls")
    add("--score-weight", type=int, default=1, help="Score calls for each --get-offer-weight GetOffer calls")
    add("--player-rate", type=float, default=1.0, help="log-ins per second of each simulated user")
    add("--deadline-ms", type=float, default=300.0, help="deadline of each request")
    add("--players", type=int, default=10_000, help="number of players: player-00000 and so on")
    add("--zipf", type=float, default=1.0, help="Zipf exponent of the popularity of players; 0: equal")


def faults(options: Any) -> Iterator[str]:
    """One line for each invalid value."""
    if not 1 <= options.players <= MAX_PLAYERS:
        yield f"--players: {options.players} is not between 1 and {MAX_PLAYERS:,}"
    if not 0 <= options.zipf < math.inf:
        yield f"--zipf: {options.zipf:g} is below 0 or not finite"
    for name in ("player_rate", "deadline_ms"):
        if not 0 < getattr(options, name) < math.inf:
            yield f"--{name.replace('_', '-')}: {getattr(options, name):g} is not above 0 and finite"
    weights = (options.get_offer_weight, options.score_weight)
    if min(weights) < 0 or not any(weights):
        yield "--get-offer-weight and --score-weight: must be 0 or more, and one of them above 0"
