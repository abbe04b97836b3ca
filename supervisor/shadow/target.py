"""Shadow target: a version, or one member of a version, whose scores are compared with answers, unseen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mesh.catalog.catalog import Catalog
from mesh.catalog.version import Version
from mesh.player_position import position
from supervisor.panel import Panel
from supervisor.ranking import Ranking
from supervisor.shadow.metrics import PairMetrics

SALT = "shadow"


@dataclass(frozen=True, slots=True, eq=False)
class ShadowTarget:
    """The panel that scores sampled requests, and the rules by which it combines and ranks.

    `share` is the percentage of players whose requests are sampled. `home` is the panel of the version in the catalog:
    that of the target, or of the version whose member it is.
    """

    game: str
    name: str
    share: float
    panel: Panel
    version: Version
    ranking: Ranking | None
    home: Panel

    def samples(self, player_id: str) -> bool:
        """Returns whether the requests of a player are sampled: always the same players, on every supervisor.

        The first 8 bytes of BLAKE2b-64 of `shadow/game/name/player_id` give the player's position in [0, 100). This
        hash is not the hash of the traffic, so that the sample has the players of each version in equal shares.
        """
        if self.share >= 100:
            return True
        return position(f"{SALT}/{self.game}/{self.name}/{player_id}") < self.share


def shadow_version(catalog: Catalog, name: str, panel: Panel, ranking: Ranking | None) -> ShadowTarget:
    """Returns the target of a version with `shadow`."""
    version = catalog.versions[name]
    return ShadowTarget(catalog.game, name, version.shadow, panel, version, ranking, panel)


def shadow_members(catalog: Catalog, name: str, panel: Panel, ranking: Ranking | None) -> Iterator[ShadowTarget]:
    """Yields the targets of the members of a version that have no vote: each as a version of one model."""
    version = catalog.versions[name]
    combine = version.combine.model_copy(update={"quorum": None})
    for pool in panel.shadows:
        voter = pool.model.model_copy(update={"shadow": False})
        alone = Version(combine=combine, models=(voter,))
        member = f"{name}/{pool.model.name}"
        yield ShadowTarget(catalog.game, member, 100.0, Panel((pool,)), alone, ranking, panel)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A version that answers, a target that scores the same requests, and the metrics of their comparison."""

    target: ShadowTarget
    metrics: PairMetrics
