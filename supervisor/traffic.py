"""Traffic: assigns players to versions by their shares: the same version at every log-in and on every supervisor."""

from __future__ import annotations

from hashlib import blake2b

from mesh.catalog.catalog import Catalog
from supervisor import ranges
from supervisor.ranges import WHOLE


class Traffic:
    """The players of each version of one catalog.

    The first 8 bytes of BLAKE2b-64 of `game/player_id`, or of `salt/game/player_id` with a salt, give the player's
    position in [0, 100). The versions divide this range in the order of their names, so the first and the last version
    keep their players when their share grows; a version between them may lose some. `holdout/` in front of this text
    gives a position of its own, so the holdout takes the same part of each version.
    """

    def __init__(self, catalog: Catalog) -> None:
        assignment = catalog.assignment
        salt = f"{assignment.salt}/" if assignment.salt is not None else ""
        self._prefix = f"{salt}{catalog.game}/"
        self._holdout = assignment.holdout
        self._versions = tuple(catalog.versions)
        self._diverted: dict[str, str] = {}
        self._without: set[str] = set()
        self._planned = ranges.divide({name: version.traffic for name, version in catalog.versions.items()})
        self._in_force = self._planned

    @property
    def shares(self) -> dict[str, float]:
        """The percentage of players of each version now."""
        return self._in_force.shares(self._versions)

    @property
    def expected(self) -> frozenset[str]:
        """The versions that have players in the catalog, now or later."""
        return frozenset(part.version for part in self._planned.parts)

    def version_of(self, player_id: str) -> str:
        """Returns the version of a player."""
        table = self._in_force
        return table.only or table.at(_position(self._prefix + player_id))

    def is_held_out(self, player_id: str) -> bool:
        """Returns whether a player belongs to the holdout, which gets the fallback offer."""
        return self._holdout > 0 and _position(f"holdout/{self._prefix}{player_id}") < self._holdout

    def divert(self, version: str, to: str | None = None) -> None:
        """Gives the players of `version` to the version `to`; None: to the others, in proportion to their shares."""
        if to is None:
            self._without.add(version)
        else:
            self._diverted[version] = to
        self._apply()

    def restore(self, version: str) -> None:
        """Gives the players that `divert` took from `version` back to it."""
        self._without.discard(version)
        self._diverted.pop(version, None)
        self._apply()

    def _apply(self) -> None:
        self._in_force = ranges.divert(self._planned, self._versions, self._diverted, self._without)


def _position(text: str) -> float:
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * WHOLE
