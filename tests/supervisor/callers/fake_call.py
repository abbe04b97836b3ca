"""A call with a certificate and metadata of the test's choice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter

from mesh.catalog.callers import Callers
from supervisor.callers.game_callers import GameCallers
from supervisor.callers.metrics import CallerMetrics

LOBBY, SHOP = "spiffe://studio.example/lobby", "shop.studio.example"
TOKEN = "correct-horse"
TOKEN_SHA256 = hashlib.sha256(TOKEN.encode()).hexdigest()
_CALLERS: TypeAdapter[Callers] = TypeAdapter(Callers)


@dataclass
class FakeCall:
    """A call of a peer whose certificate has `names`, and that sends `metadata`."""

    names: Sequence[str] = ()
    metadata: Sequence[tuple[str, str | bytes]] = ()

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        kinds = {
            "peer_uri": [n for n in self.names if "://" in n],
            "peer_dns": [n for n in self.names if "://" not in n],
        }
        return {kind: [name.encode() for name in names] for kind, names in kinds.items() if names}

    def invocation_metadata(self) -> Sequence[tuple[str, str | bytes]]:
        return self.metadata

    def peer(self) -> str:
        return "ipv4:192.0.2.1:4711"


def with_token(token: str, scheme: str = "Bearer", names: Sequence[str] = ()) -> FakeCall:
    """Returns a call that sends a token."""
    return FakeCall(names, (("user-agent", "test"), ("authorization", f"{scheme} {token}")))


def callers_of(
    blocks: Mapping[str, Any],
    game: str = "g",
    before: GameCallers | None = None,
    registry: CollectorRegistry | None = None,
) -> GameCallers:
    """Returns the callers of a catalog with `blocks`."""
    metrics = CallerMetrics(registry or CollectorRegistry())
    return GameCallers(game, _CALLERS.validate_python(blocks), metrics, before)
