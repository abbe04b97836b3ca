"""The supervisor's certificate: the names that the workers demand, and its metrics.

Without TLS, this module imports no `cryptography`, which would slow down each start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesh.tls.files import TlsFiles
from supervisor.live_games import LiveGames

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from mesh.tls.https import HttpsContext
    from mesh.tls.live import LiveTls


def open_tls(files: TlsFiles | None, registry: CollectorRegistry) -> LiveTls | None:
    """Reads the certificate and registers its metrics; None without `files`. Raises Misconfigured."""
    if files is None:
        return None
    from mesh.tls.demands import Demands
    from mesh.tls.live import LiveTls
    from mesh.tls.metrics import TlsMetrics

    tls = LiveTls(files, demands=Demands(serves=True, calls=True))
    registry.register(TlsMetrics(tls))
    return tls


def demand_names(tls: LiveTls | None, games: LiveGames) -> None:
    """Demands the names of `supervisor_names` of this and each later certificate; raises Misconfigured if one lacks."""
    if tls is not None:
        tls.demand_names(lambda: supervisor_names(games))


def supervisor_names(games: LiveGames) -> dict[str, str]:
    """Returns the names that the workers of `games` demand of this supervisor, by the place that demands them."""
    tls_blocks = ((game.catalog.game, game.catalog.tls) for game in games.values())
    return {tls.supervisor_of(name): f"tls.supervisor of the game {name}" for name, tls in tls_blocks}


def https_context(tls: LiveTls | None, *, wanted: bool) -> HttpsContext | None:
    """Returns the context of the metrics port; None if it is plaintext."""
    if tls is None or not wanted:
        return None
    from mesh.tls.https import HttpsContext

    return HttpsContext(tls)
