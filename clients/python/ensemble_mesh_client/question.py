"""One question of the application, from its arrival to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ensemble_mesh_client.answer import Answer
from ensemble_mesh_client.wire import offers_pb2 as wire

if TYPE_CHECKING:
    from ensemble_mesh_client.supervisor import Supervisor

MOST_SENDINGS = 4  # of one question, with its hedge: a question that every supervisor drops must not circle


@dataclass(slots=True, eq=False)
class Question:
    """A request that waits for its answer. `preference` has the supervisors in the player's order."""

    request: wire.GetOfferRequest
    deadline_s: float
    answer: asyncio.Future[Answer]
    preference: Sequence[Supervisor] = ()
    asked: dict[Supervisor, float] = field(
        default_factory=dict
    )  # the time of the sending to each that has not answered
    sendings: int = 0

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered yet."""
        return not self.answer.done()
