"""First players: which versions of a game can take their players now, and which must wait for replicas."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from supervisor.ensemble import Ensemble
from supervisor.game import Game
from supervisor.pool import ModelPool


def has_quorum(ensemble: Ensemble) -> bool:
    """Returns whether as many models are up as an answer needs votes."""
    return sum(pool.is_up for pool in ensemble.panel.pools) >= ensemble.rules.version.quorum


def is_ready(ensemble: Ensemble, known: Collection[ModelPool]) -> bool:
    """Returns whether a version can take its players.

    `ready` in the catalog says what its first players need. A version whose pools are all `known`, because they have
    scored for players before, needs a quorum only: rolling back does not wait for a model that has just failed.
    """
    pools = ensemble.panel.pools
    if ensemble.rules.version.ready == "all" and not all(pool in known for pool in pools):
        return all(pool.is_up for pool in pools)
    return has_quorum(ensemble)


def asked_pools(game: Game, waiting: Collection[str]) -> Iterable[ModelPool]:
    """Yields the pools that score for the players of `game`; the versions `waiting` have none yet."""
    for name in game.traffic.expected.difference(waiting):
        yield from game.ensembles[name].panel.pools


def unready(game: Game, asked: Collection[ModelPool], known: Collection[ModelPool]) -> frozenset[str]:
    """Returns the versions of `game` that cannot take their first players; `asked` pools score for players now."""
    return frozenset(
        name
        for name in game.traffic.expected
        if not all(pool in asked for pool in game.ensembles[name].panel.pools)
        and not is_ready(game.ensembles[name], known)
    )


def can_wait_alone(game: Game, versions: Collection[str], before: Game, waiting: Collection[str]) -> bool:
    """Returns whether the catalog of `game` can be in force while `versions` have no players yet.

    None of them may have players in `before`, whose versions `waiting` have none; and another version must have players
    in both catalogs, to keep those of `versions`.
    """
    had_players = before.traffic.expected.difference(waiting)
    stay = {name for name, share in game.traffic.shares.items() if share > 0}.difference(versions)
    return had_players.isdisjoint(versions) and not stay.isdisjoint(had_players)


def without_quorum(game: Game) -> frozenset[str]:
    """Returns the versions with players that cannot be served, if another version can take their players."""
    served = {name for name in game.traffic.expected if has_quorum(game.ensembles[name])}
    has_heir = any(game.traffic.shares[name] > 0 for name in served)
    return game.traffic.expected.difference(served) if has_heir else frozenset()
