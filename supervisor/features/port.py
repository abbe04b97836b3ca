"""What the supervisor needs of a feature store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mesh.player_features import Columns, PlayerFeatures


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """What one read found: the store's columns as of then, and the players it knows."""

    columns: Columns
    players: Mapping[str, PlayerFeatures]


class FeatureStore(Protocol):
    """A store that reads many players at once."""

    @property
    def columns(self) -> Columns:
        """The columns as of the last read."""
        ...

    async def read(self, player_ids: Sequence[str], timeout_s: float) -> FeatureBatch:
        """Reads all of `player_ids` in one go.

        A player whom the store does not know is absent from the batch. Raises Expired after `timeout_s`,
        Unavailable when the store cannot be read; cancelling it leaves the store usable.
        """
        ...

    async def close(self) -> None:
        """Ends what the store holds open."""
        ...
