"""The ports of a lane: the rows that it sends, and the owner that it reports to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from mesh.errors import MeshError
from mesh.model_file import ModelHeader
from supervisor.encoding import FactoredPart
from supervisor.lane_reply import ScoreReply

if TYPE_CHECKING:
    from supervisor.lane import Lane


class LaneRequest(Protocol):
    """The rows of one message. `Shipment` implements it."""

    @property
    def rows(self) -> int:
        """The number of rows."""
        ...

    def plain(self) -> bytes:
        """The encoded plain rows: a part of a ModelInferRequest."""
        ...

    def factored(self) -> FactoredPart | None:
        """The encoded factored rows; None if the rows have no factored form."""
        ...

    def budget_s(self) -> float:
        """The time left until the deadline, in seconds."""
        ...

    def begin_span(self, address: str) -> str:
        """Begins the span of the message to `address`; returns its parameter `traceparent`, or '' without one."""
        ...


RequestT = TypeVar("RequestT", bound=LaneRequest)


class LaneOwner(Protocol[RequestT]):
    """Accepts replicas and receives the events of its lanes. `ModelPool` implements it."""

    def accept(self, lane: Lane[RequestT], header: ModelHeader, properties: dict[str, str]) -> None:
        """Accepts the model that the replica serves; raises MeshError with the reason of a refusal."""
        ...

    def on_up(self, lane: Lane[RequestT]) -> None:
        """`lane` is up."""
        ...

    def on_down(self, lane: Lane[RequestT], lost: list[RequestT]) -> None:
        """`lane` is down; `lost` are its outstanding requests, in the order of sending."""
        ...

    def on_reply(self, lane: Lane[RequestT], request: RequestT, reply: ScoreReply | MeshError) -> None:
        """The replica answered `request`."""
        ...
