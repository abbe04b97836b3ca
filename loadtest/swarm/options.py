"""The options that locust's command line and its start form get from us."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from loadtest.popularity import MAX_PLAYERS
from loadtest.swarm.shapes import SHAPES


def add_options(parser: Any) -> None:
    """Adds them to locust's parser."""
    add = parser.add_argument
    scenarios = sorted(SHAPES)
    add("--scenario", choices=scenarios, default="steady", help="how the number of players goes over the run time")
    add(
        "--games",
        default="dragonfall",
        help="NAME or NAME:WEIGHT, comma-separated; `mixed` plays all, others the first",
    )
    add("--get-offer-weight", type=int, default=9, help="GetOffer calls for each --score-weight Score calls")
    add("--score-weight", type=int, default=1, help="Score calls for each --get-offer-weight GetOffer calls")
    add("--player-rate", type=float, default=1.0, help="log-ins a second of each simulated user")
    add("--deadline-ms", type=float, default=300.0, help="of each request")
    add("--players", type=int, default=10_000, help="how many players there are: player-00000 and so on")
    add("--zipf", type=float, default=1.0, help="exponent of the players' popularity; 0: all alike")


def faults(options: Any) -> Iterator[str]:
    """What makes no sense in their values, a line each."""
    if not 1 <= options.players <= MAX_PLAYERS:
        yield f"--players: {options.players} is not between 1 and {MAX_PLAYERS:,}"
    if not 0 <= options.zipf < math.inf:
        yield f"--zipf: {options.zipf:g} is not 0 or more"
    for name in ("player_rate", "deadline_ms"):
        if not 0 < getattr(options, name) < math.inf:
            yield f"--{name.replace('_', '-')}: {getattr(options, name):g} is not above 0"
    weights = (options.get_offer_weight, options.score_weight)
    if min(weights) < 0 or not any(weights):
        yield "--get-offer-weight and --score-weight: give 0 or more, and not 0 to both"
