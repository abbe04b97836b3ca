"""One question of the application, from its arrival to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ensemble_mesh_client.answer import Answer
from ensemble_mesh_client.errors import INVALID_ARGUMENT, WrongRequest
from ensemble_mesh_client.wire import offers_pb2 as wire

if TYPE_CHECKING:
    from ensemble_mesh_client.supervisor import Supervisor

MOST_SENDINGS = 4  # of one question, with its hedge: a question that every supervisor drops must not circle

Value = bool | int | float | str


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
    hedged: Supervisor | None = None  # the supervisor that got a copy because the first was slow

    @property
    def is_open(self) -> bool:
        """Whether nobody has answered yet."""
        return not self.answer.done()


def request_of(context: Mapping[str, Value], **fields: Any) -> wire.GetOfferRequest:
    """Returns the message of a question. Raises WrongRequest if a value has a wrong type, or cannot be encoded."""
    try:
        return wire.GetOfferRequest(
            context={name: _context_value(name, value) for name, value in context.items()}, **fields
        )
    except (TypeError, ValueError) as error:
        raise WrongRequest(INVALID_ARGUMENT, f"the request cannot be encoded: {error}") from error


def _context_value(name: str, value: Value) -> wire.ContextValue:
    if isinstance(value, bool):
        return wire.ContextValue(flag=value)
    if isinstance(value, str):
        return wire.ContextValue(text=value)
    if isinstance(value, int | float):
        return wire.ContextValue(number=value)
    fault = f"context.{name}: is of type {type(value).__name__}; give a bool, a number or a string"
    raise WrongRequest(INVALID_ARGUMENT, fault)
