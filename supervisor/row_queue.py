"""The bounded queue of the rows of one model that no replica has received yet."""

from __future__ import annotations

from collections import deque

from mesh.errors import Overloaded
from supervisor.shipment import Shipment

MAX_ROWS = 20_000


class RowQueue:
    """A first-in, first-out queue of shipments; `rows` counts their rows. Rows of answers overtake those of shadows."""

    def __init__(self) -> None:
        self.rows = 0
        self._shipments: deque[Shipment] = deque()

    @property
    def first(self) -> Shipment:
        """The oldest shipment; the queue must not be empty."""
        return self._shipments[0]

    def drop_settled_head(self) -> bool:
        """Drops shipments of settled votes from the head; returns whether a shipment is left."""
        while self._shipments and not self._shipments[0].is_wanted():
            self.rows -= self._shipments.popleft().rows
        return bool(self._shipments)

    def check_room(self, rows: int) -> None:
        """Raises Overloaded if the queue has no room for `rows` more rows."""
        if self.rows + rows > MAX_ROWS:
            self._drop_settled()
        if self.rows + rows > MAX_ROWS:
            raise Overloaded(f"{self.rows} rows wait for a replica")

    def add(self, shipment: Shipment) -> None:
        """Appends `shipment`, for which there is room."""
        overtaken: list[Shipment] = []
        while not shipment.vote.is_shadow and self._shipments and self._shipments[-1].vote.is_shadow:
            overtaken.append(self._shipments.pop())
        self._shipments.append(shipment)
        self._shipments.extend(reversed(overtaken))
        self.rows += shipment.rows

    def put_back(self, shipment: Shipment) -> None:
        """Puts a shipment that was queued before at the head, even if the queue is full."""
        self._shipments.appendleft(shipment)
        self.rows += shipment.rows

    def take(self, rows: int) -> Shipment:
        """Removes the first `rows`; fewer if the oldest shipment has fewer, or is cut between two requests."""
        first = self.first
        shipment = first.split(rows) if rows < first.rows else self._shipments.popleft()
        self.rows -= shipment.rows
        return shipment

    def empty(self) -> list[Shipment]:
        """Removes and returns all shipments, in order."""
        shipments, self._shipments, self.rows = list(self._shipments), deque(), 0
        return shipments

    def _drop_settled(self) -> None:
        self._shipments = deque(shipment for shipment in self._shipments if shipment.is_wanted())
        self.rows = sum(shipment.rows for shipment in self._shipments)
