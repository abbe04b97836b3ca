"""What the log of one version needs to know, from one catalog."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mesh.catalog.catalog import Catalog
from mesh.catalog.decisions import REQUEST_COLUMNS, Decisions
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.version import Version
from mesh.errors import Misconfigured
from mesh.player_position import WHOLE, position

KEY_VARIABLE = "MESH_PLAYER_KEY"
SALT = "decisions"
HASH_DIGITS = 32


@dataclass(frozen=True, slots=True, eq=False)
class VersionLog:
    """The rules of the log of one version. `key` is None if players are plain; `offers` if the game has none.

    `prices` has FP64 [offers]. `booleans` are the context features of that kind. `hidden` are the features whose values
    are not logged.
    """

    game: str
    name: str
    version: Version
    block: Decisions
    key: bytes | None
    rank_by: str | None
    offers: OffersTable | None
    prices: bytes | None
    booleans: frozenset[str]
    hidden: frozenset[str]
    digest: Callable[[tuple[str, ...]], str]  # of the version, for the SHA-256 of each model's file

    @property
    def has_all(self) -> bool:
        """Whether the answers of all players are logged."""
        return self.block.sample >= WHOLE

    def samples(self, player_id: str) -> bool:
        """Returns whether the answers of a player are logged: always the same players, on every supervisor.

        The hash of `decisions/game/player_id` is not the hash of the traffic, so that the sample has the players of
        each version in equal shares.
        """
        return self.has_all or position(f"{SALT}/{self.game}/{player_id}") < self.block.sample

    @property
    def hides_inputs(self) -> bool:
        """Whether the log lacks players or values, so that a text about a player's features must not name them."""
        return self.key is not None or bool(self.hidden) or self.excludes("player")

    def player(self, player_id: str) -> str:
        """Returns the player as it is logged."""
        return player_id if self.key is None else hashed(self.key, player_id)

    def excludes(self, column: str) -> bool:
        """Returns whether a column of the log stays empty."""
        return column in self.block.exclude


def hashed(key: bytes, player_id: str) -> str:
    """Returns the keyed hash of a player id: the first 32 hex digits of HMAC-SHA-256."""
    return hmac.digest(key, player_id.encode(), "sha256").hex()[:HASH_DIGITS]


def key_of(catalog: Catalog, environment: Mapping[str, str]) -> bytes | None:
    """Returns the key of the hashes of players; None if they are plain. Raises Misconfigured if there is no key."""
    if catalog.decisions is None or catalog.decisions.players == "plain":
        return None
    key = environment.get(KEY_VARIABLE, "")
    if not key:
        problem = f"is hashed, but the supervisor's environment has no {KEY_VARIABLE}"
        fix = "set it to a secret text, the same on every supervisor"
        raise Misconfigured([f"{catalog.game}: decisions.players: {problem}; {fix}"])
    return key.encode()


def version_logs(
    catalog: Catalog,
    offers: OffersTable | None,
    digests: Mapping[str, Callable[[tuple[str, ...]], str]],
    key: bytes | None,
) -> dict[str, VersionLog]:
    """Returns the rules of each version of `catalog`; empty if it has no log. `digests` are those of the versions."""
    block = catalog.decisions
    if block is None:
        return {}
    has_prices = offers is not None and offers.prices is not None
    prices = np.array(offers.prices, "<f8").tobytes() if offers is not None and has_prices else None
    return {
        name: VersionLog(
            catalog.game,
            name,
            version,
            block,
            key,
            catalog.offers.rank_by if catalog.offers else None,
            offers,
            prices,
            frozenset(feature for feature, kind in catalog.context.items() if kind == "boolean"),
            _hidden(catalog, block),
            digests[name],
        )
        for name, version in catalog.versions.items()
    }


def _hidden(catalog: Catalog, block: Decisions) -> frozenset[str]:
    """The features without values in the log. The rows have values of the context, too."""
    named = frozenset(block.exclude) - frozenset(REQUEST_COLUMNS)
    return named | frozenset(catalog.context) if "context" in block.exclude else named
