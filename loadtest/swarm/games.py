"""The games that the simulated users play: the contents of their requests, and their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from loadtest.errors import CannotMeasure
from loadtest.game_inputs import Chosen, GameInputs, inputs_of
from loadtest.input_options import EXAMPLE
from loadtest.swarm.draws import games_of
from mesh.errors import Misconfigured

INVALID = (ValueError, CannotMeasure, Misconfigured)


class Play(NamedTuple):
    """One game and how often it is played, relative to the others."""

    inputs: GameInputs
    weight: float


def plays_of(options: Any) -> list[Play]:
    """The games of the options; `mixed` plays all of them, the other scenarios the first. Raises one of INVALID."""
    names = ("catalog", "games", "players", "player_ids", "context", "offer_ids", "candidates")
    plays = _plays(**{name: getattr(options, name) for name in names})
    return plays if options.scenario == "mixed" else plays[:1]


@lru_cache(maxsize=4)  # read once per process, not by each of its users
def _plays(
    *, catalog: str, games: str, players: int, player_ids: str, context: str, offer_ids: str, candidates: int
) -> list[Play]:
    chosen = Chosen(
        player_ids=Path(player_ids) if player_ids else None,
        players=players or None,
        context=context.split(),
        offer_ids=Path(offer_ids) if offer_ids else None,
        candidates=candidates,
    )
    known = _of_catalogs(catalog, chosen)
    weights: Mapping[str, float] = games_of(games) if games else dict.fromkeys(known or (EXAMPLE,), 1.0)
    return [Play(known.get(game) or inputs_of(chosen, game), weight) for game, weight in weights.items()]


def _of_catalogs(catalogs: str, chosen: Chosen) -> dict[str, GameInputs]:
    paths = [Path(path.strip()) for path in catalogs.split(",") if path.strip()]
    read = [inputs_of(replace(chosen, catalog=path), game="") for path in paths]
    return {inputs.game: inputs for inputs in read}
