"""Shadow target: a version that scores the requests of other versions, unseen."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from mesh.catalog.catalog import Version
from supervisor.panel import Panel
from supervisor.ranking import Ranking
from supervisor.shadow.metrics import PairMetrics

SALT = "shadow"


@dataclass(frozen=True, slots=True, eq=False)
class ShadowTarget:
    """The panel that scores sampled requests, and the rules by which it combines and ranks.

    `share` is the percentage of players whose requests are sampled.
    """

    game: str
    name: str
    share: float
    panel: Panel
    version: Version
    ranking: Ranking | None

    def samples(self, player_id: str) -> bool:
        """Returns whether the requests of a player are sampled: always the same players, on every supervisor.

        The first 8 bytes of BLAKE2b-64 of `shadow/game/name/player_id` give the player's position in [0, 100). This
        hash is not the hash of the traffic, so that the sample has the players of each version in equal shares.
        """
        if self.share >= 100:
            return True
        digest = blake2b(f"{SALT}/{self.game}/{self.name}/{player_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64 * 100 < self.share


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A version that answers, a target that scores the same requests, and the metrics of their comparison."""

    target: ShadowTarget
    metrics: PairMetrics
