"""How players move between versions: the assignment of players."""

from __future__ import annotations

from pydantic import Field

from mesh.block import Block


class Assignment(Block):
    """How players are assigned to versions."""

    salt: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="any text; a new salt assigns all players again, independently of the groups of earlier tests",
    )
    holdout: float = Field(
        0, ge=0, le=100, description="percent of the players who get the fallback offer, to compare the models with it"
    )
