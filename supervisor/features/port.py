"""What the supervisor needs of a feature store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mesh.errors import MeshError
from mesh.players.features import Columns, PlayerFeatures


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """What one read found: the store's columns as of then, and the players it knows.

    `unread` are those of whom it cannot be said, each with why; a player in neither is unknown to the store.
    """

    columns: Columns
    players: Mapping[str, PlayerFeatures]
    unread: Mapping[str, MeshError] = field(default_factory=dict)


class FeatureStore(Protocol):
    """A store that reads many players at once."""

    @property
    def columns(self) -> Columns:
        """The columns as of the last read."""
        ...

    async def read(self, player_ids: Sequence[str], timeout_s: float) -> FeatureBatch:
        """Reads all of `player_ids` in one go.

        A player whom the store does not know is absent from the batch. Raises Expired after `timeout_s`,
        Unavailable when nobody could be read; cancelling it leaves the store usable.
        """
        ...

    async def close(self) -> None:
        """Ends what the store holds open."""
        ...


class FeatureLog(Protocol):
    """Who wants to know how the players were read."""

    def served(self, hits: int, stale: int, unread: int) -> None:
        """Players of a cohort came from the cache (`hits`), were older than they should be, or could not be read."""
        ...

    def read(self, keys: int, seconds: float, failure: MeshError | None) -> None:
        """The store was asked for `keys` players; `failure` says why it told nothing."""
        ...

    def unprocessed(self, keys: int) -> None:
        """A store did not get to some players of a request, who are asked for again if there is time."""
        ...

    def throttled(self) -> None:
        """A store refused a request because there were too many."""
        ...
