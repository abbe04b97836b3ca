"""The rows of one model that wait for a replica, in order and bounded."""

from __future__ import annotations

from collections import deque

from mesh.errors import MeshError, Overloaded
from supervisor.ballot import Shipment

MAX_ROWS = 20_000


class WaitingRows:
    """First come, first served; what nobody wants any more is dropped when it comes to the head."""

    def __init__(self) -> None:
        self.rows = 0
        self._shipments: deque[Shipment] = deque()

    def __bool__(self) -> bool:
        while self._shipments and not self._shipments[0].is_wanted():
            self.rows -= self._shipments.popleft().rows
        return bool(self._shipments)

    @property
    def first(self) -> Shipment:
        """What has waited longest; there must be one."""
        return self._shipments[0]

    def add(self, shipment: Shipment) -> None:
        """Puts `shipment` last; raises Overloaded when there is no room."""
        if self.rows + shipment.rows > MAX_ROWS:
            self._drop_unwanted()
        if self.rows + shipment.rows > MAX_ROWS:
            raise Overloaded(f"{self.rows} rows wait for a replica")
        self._shipments.append(shipment)
        self.rows += shipment.rows

    def put_back(self, shipment: Shipment) -> None:
        """Puts `shipment` first: it has waited before."""
        self._shipments.appendleft(shipment)
        self.rows += shipment.rows

    def take(self, rows: int) -> Shipment:
        """The first `rows`, or fewer: what travels in one message belongs to one leg."""
        first = self.first
        shipment = first.split(rows) if rows < first.rows else self._shipments.popleft()
        self.rows -= shipment.rows
        return shipment

    def fail(self, failure: MeshError) -> None:
        """Ends every leg that waits."""
        for shipment in self._shipments:
            shipment.leg.settle(failure)
        self._drop_unwanted()

    def _drop_unwanted(self) -> None:
        self._shipments = deque(shipment for shipment in self._shipments if shipment.is_wanted())
        self.rows = sum(shipment.rows for shipment in self._shipments)
