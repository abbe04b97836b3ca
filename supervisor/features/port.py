"""Port for feature stores: reading the features of many players at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mesh.errors import MeshError
from mesh.players.features import Columns, PlayerFeatures


@dataclass(frozen=True, slots=True)
class StoreRead:
    """The result of one read: the columns of the store and the players found.

    `unread` holds the players that could not be read, each with its reason; a player in neither is unknown.
    """

    columns: Columns
    players: Mapping[str, PlayerFeatures]
    unread: Mapping[str, MeshError] = field(default_factory=dict)


class FeatureStore(Protocol):
    """A store that reads many players at once."""

    @property
    def columns(self) -> Columns:
        """The columns of the last read."""
        ...

    async def read(self, player_ids: Sequence[str], timeout_s: float) -> StoreRead:
        """Reads all of `player_ids` at once.

        A player unknown to the store is absent from the result. Raises Expired after `timeout_s`, and Unavailable if
        no player could be read. A read that probes a store after failures may take longer, up to a limit of the store.
        Cancelling it leaves the store usable.
        """
        ...

    async def close(self) -> None:
        """Closes the resources of the store."""
        ...


class StoreMetrics(Protocol):
    """Receives the events of a feature store and its cache. `FeatureMetrics` implements it."""

    def served(self, hits: int, stale: int, unread: int) -> None:
        """Counts the players of a cohort that were fresh in the cache, stale, or could not be read."""
        ...

    def read(self, keys: int, seconds: float, failure: MeshError | None) -> None:
        """A read of `keys` players took `seconds`; `failure` is its error, if any."""
        ...

    def unprocessed(self, keys: int) -> None:
        """The store did not process `keys` of a request; they are requested again if there is time."""
        ...

    def throttled(self) -> None:
        """The store throttled a request."""
        ...
