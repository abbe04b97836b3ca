"""The `callers` and `tls` blocks of a catalog: who may ask for the game, and the names in the mesh's certificates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mesh.block import Block, Text

Method = Literal["GetOffer", "StreamOffers", "Score", "ReportOutcome"]
METHODS: tuple[Method, ...] = ("GetOffer", "StreamOffers", "Score", "ReportOutcome")
ANYONE = "anyone"
CallerName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Caller(Block):
    """A program that may ask for the game: how it is recognised, what it may do, and its share of the supervisors."""

    names: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        (), description="names in its certificate: URIs such as spiffe://studio.example/lobby, or DNS names"
    )
    token_sha256: Annotated[tuple[Digest, ...], Field(strict=False)] = Field(
        (), description="SHA-256 of each bearer token that it may show; several, to change a token without an outage"
    )
    methods: Annotated[tuple[Method, ...], Field(strict=False, min_length=1)] = Field(
        METHODS, description="methods that it may call; ReportOutcome includes its stream"
    )
    pins: Annotated[tuple[str, ...], Field(strict=False)] | None = Field(
        None, description="versions that it may name in a request (default: all); [] for none"
    )
    requests_per_s: float | None = Field(
        None, gt=0, description="requests a second that each supervisor takes (default: no limit)"
    )
    burst: float | None = Field(None, ge=1, description="requests that may come at once (default: those of one second)")
    weight: float = Field(1, ge=0.01, le=1000, description="its share of the queue, relative to other callers")
    critical: bool = Field(False, description="under overload, its requests are the last that are refused")


def _all_rights(value: Any) -> Any:
    return {} if value is True else value


AllRights = BeforeValidator(_all_rights, json_schema_input_type=Caller | Literal[True])
Callers = Annotated[
    Mapping[CallerName, Annotated[Caller, AllRights]], Field(json_schema_extra={"additionalProperties": False})
]


class Tls(Block):
    """The names in the certificates of the game's services."""

    worker: Text | None = Field(None, description="DNS name in the workers' certificates (default: worker.GAME.mesh)")
    supervisor: Text | None = Field(
        None, description="name in the supervisors' certificates (default: supervisor.GAME.mesh)"
    )

    def worker_of(self, game: str) -> str:
        """Returns the name that supervisors demand of the workers of `game`."""
        return self.worker or f"worker.{game}.mesh"

    def supervisor_of(self, game: str) -> str:
        """Returns the name that the workers of `game` demand of supervisors."""
        return self.supervisor or f"supervisor.{game}.mesh"
