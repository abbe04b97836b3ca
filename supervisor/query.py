"""Queries: the requests of callers without their wire format. The service builds them, the game checks them.

They are named tuples because one is built for each request: a frozen dataclass takes twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mesh.errors import WrongRequest
from mesh.ids import id_problem

ContextValue = float | bool | str | None  # None: the caller named the feature, but set no value


class OfferQuery(NamedTuple):
    """Asks for the best `limit` offers for a player. No `offer_ids` means every offer of the catalog."""

    player_id: str
    version: str | None
    context: Mapping[str, ContextValue]
    offer_ids: Sequence[str] = ()
    limit: int = 1
    request_id: str = ""


class ScoreQuery(NamedTuple):
    """Asks for the score of a player and an offer. No `offer_id` means the fallback offer of the catalog."""

    player_id: str
    version: str | None
    context: Mapping[str, ContextValue]
    offer_id: str | None = None
    request_id: str = ""


def check_id(field: str, value: str, *, required: bool) -> None:
    """Raises WrongRequest, naming `field`, unless `value` follows the rule of `mesh.ids`."""
    if required and not value:
        raise WrongRequest(f"{field}: is empty; set it")
    problem = id_problem(value)
    if problem is not None:
        raise WrongRequest(f"{field}: {problem}")
