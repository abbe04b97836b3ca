"""The contents of the requests of any game: its players, their context values and their candidates."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.errors import CannotMeasure
from loadtest.generators.callers import REQUESTS
from loadtest.generators.popularity import MAX_PLAYERS
from loadtest.workloads import Method
from mesh.cli.offers.context import context_value, parse
from mesh.reference.draws import draw
from mesh.wire import offers_pb2

ContextValue = float | bool | str
PLAYERS = 10_000  # without a catalog or a file
UNKNOWN_PLAYER = "unknown-player"  # the word in the `reason` of an answer


@dataclass(frozen=True, slots=True)
class GameInputs:
    """The contents of the requests of one game.

    `context` is the same for all players, and takes precedence over `drawn`: each player draws one of the values of
    each feature in `drawn`, and `candidates` of the `offer_ids` (0: no candidates are sent, so the mesh ranks all
    offers). `has_offers` is False for a game that can only score.
    """

    game: str
    player_ids: Sequence[str]
    context: Mapping[str, ContextValue]
    drawn: Mapping[str, Sequence[ContextValue]]
    offer_ids: Sequence[str]
    candidates: int
    has_offers: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """The options that choose the inputs; None or empty: from the catalog, else the defaults of the example."""

    catalog: Path | None = None
    player_ids: Path | None = None
    players: int | None = None
    context: Sequence[str] = ()
    offer_ids: Path | None = None
    candidates: int = 0


def inputs_of(chosen: Chosen, game: str) -> GameInputs:
    """The inputs; raises CannotMeasure or Misconfigured with the option that is wrong."""
    from loadtest.catalog_inputs import (
        read_catalog,
    )  # reads LightGBM files, which a run without a catalog does not need

    known_game, known_players, drawn, offers = read_catalog(chosen) if chosen.catalog else ("", None, {}, None)
    context = {name: plain(value) for name, value in parse(chosen.context).items()}
    offer_ids: Sequence[str] = _ids("--offer-ids", chosen.offer_ids) if chosen.offer_ids else offers or ()
    candidates = chosen.candidates or (len(offer_ids) if chosen.offer_ids else 0)
    if candidates > len(offer_ids):
        raise CannotMeasure(
            f"--candidates: {candidates} of {len(offer_ids)} known offers; lower it, or set --offer-ids or --catalog"
        )
    return GameInputs(
        game=game or known_game,
        player_ids=_player_ids(chosen, known_players),
        context=context,
        drawn={name: values for name, values in drawn.items() if name not in context},
        offer_ids=offer_ids,
        candidates=candidates,
        has_offers=chosen.catalog is None or offers is not None,
    )


def _player_ids(chosen: Chosen, stored: Sequence[str] | None) -> Sequence[str]:
    if chosen.players is not None and not 1 <= chosen.players <= MAX_PLAYERS:
        raise CannotMeasure(f"--players: {chosen.players:,} is not between 1 and {MAX_PLAYERS:,}")
    if chosen.player_ids is not None:
        return _ids("--player-ids", chosen.player_ids)[: chosen.players]
    if stored is not None:
        return stored[: chosen.players]
    return [f"player-{number:05d}" for number in range(chosen.players or PLAYERS)]


def _ids(option: str, path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotMeasure(f"{option}: cannot read {path}: {error}") from error
    known = [line.strip() for line in lines if line.strip()]
    if not known:
        raise CannotMeasure(f"{option}: {path} has no ids; write one per line")
    return known


def context_of(inputs: GameInputs, player_id: str) -> dict[str, ContextValue]:
    """The context of a player, always the same for the same player."""
    return draw(inputs.drawn, player_id) | dict(inputs.context)


def candidates_of(inputs: GameInputs, player_id: str) -> list[str]:
    """The candidates of a player, always the same for the same player; empty: all offers."""
    if inputs.candidates in (0, len(inputs.offer_ids)):
        return list(inputs.offer_ids) if inputs.candidates else []
    return random.Random(f"candidates of {player_id}").sample(inputs.offer_ids, inputs.candidates)


def message_of(inputs: GameInputs, method: Method, player_id: str, version: str = "") -> Any:
    """The request of a player as a protobuf message. A Score request has the player's first candidate."""
    request = REQUESTS[method](game=inputs.game, player_id=player_id, version=version)
    for name, value in context_of(inputs, player_id).items():
        request.context[name].CopyFrom(context_value(value))
    candidates = candidates_of(inputs, player_id)
    if method == "GetOffer":
        request.offer_ids.extend(candidates)
    elif candidates:
        request.offer_id = candidates[0]
    return request


def plain(value: offers_pb2.ContextValue) -> ContextValue:
    """The value of a protobuf message."""
    found: ContextValue = getattr(value, value.WhichOneof("kind") or "text")
    return found


def is_unknown(answer: Any) -> bool:
    """Whether the store has no such player; `answer` is the protobuf message."""
    return bool(answer.unknown_player) or answer.reason.partition(":")[0] == UNKNOWN_PLAYER
