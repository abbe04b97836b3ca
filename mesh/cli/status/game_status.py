"""The state of a game's catalog in the supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.cli.metrics_page import Page

_HOLDOUT = "(holdout)"  # in place of the version in the shares of the players


@dataclass(frozen=True, slots=True)
class GameStatus:
    """`is_refused`: the latest catalog has faults. `is_pending`: it, or a version of it, waits for replicas.

    `holdout` is the share of the players who get the fallback, 0 to 1.
    """

    game: str
    is_refused: bool
    is_pending: bool
    holdout: float


def games(page: Page) -> Iterator[GameStatus]:
    """Yields the status of every game, if the supervisor reports it."""
    for game in (sample.labels["game"] for sample in page.find("mesh_catalog_refused")):
        yield GameStatus(
            game,
            page.total("mesh_catalog_refused", game=game) > 0,
            page.total("mesh_catalog_pending", game=game) > 0,
            page.total("mesh_traffic_share", game=game, version=_HOLDOUT),
        )


def notes(one: GameStatus, *, has_waiting_version: bool) -> Iterator[tuple[str, bool]]:
    """Yields sentences about a game, and whether each is a problem."""
    before = "the catalog before it is in force"
    if one.is_refused:
        yield f"{one.game}: the latest catalog has faults, and {before}; run `mesh catalog check`", True
    if one.is_pending and not has_waiting_version:
        yield f"{one.game}: the latest catalog waits for replicas that serve its models, and {before}", True
    if one.holdout:
        yield f"{one.game}: the holdout, {one.holdout * 100:.4g} % of the players, gets the fallback", False
