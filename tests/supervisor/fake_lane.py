"""A lane in virtual time whose replies the test sends, and a question to its pool."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from typing import cast

from mesh.catalog.sources import Sources
from mesh.catalog.version import Model
from mesh.errors import MeshError
from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from supervisor import dealer
from supervisor.ballot import Ballot, Place
from supervisor.lane import Lane, LaneState
from supervisor.lane_reply import ScoreReply
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows, Passenger, RowPlanner
from supervisor.shipment import Shipment
from tests.supervisor.fake_starvation import NEVER_STARVED
from tests.supervisor.virtual_time import now_s

COLUMNS = Columns(("level",), ())
HEADER = ModelHeader(("level",), {}, "binary", 1, 1)


class FakeLane:
    """A lane; the test sends its replies."""

    def __init__(
        self, pool: ModelPool, name: str, header: ModelHeader = HEADER, sha256: str = "", bias: float = 0.0
    ) -> None:
        self.state: LaneState = "up"
        self.address = name
        self.why_down = ""
        self.outstanding_rows = 0
        self.is_stale = False
        self.max_pairs: int | None = None
        self.sent: deque[Shipment] = deque()
        self.sizes: list[int] = []
        self.bias = bias  # of its model file
        self._pool = pool
        pool.lanes[name] = cast(Lane[Shipment], self)
        pool.accept(cast(Lane[Shipment], self), header, {"sha256": sha256})

    def send(self, shipment: Shipment) -> None:
        self.sent.append(shipment)
        self.sizes.append(shipment.rows)
        self.outstanding_rows += shipment.rows

    def outstanding(self) -> list[Shipment]:
        return list(self.sent)

    def answer(self, failure: MeshError | None = None) -> None:
        """Replies to the oldest shipment: the score of a row is the sum of its cells plus the bias, or `failure`."""
        shipment = self.sent.popleft()
        self.outstanding_rows -= shipment.rows
        levels = shipment.vote.matrix.rows.sum(axis=1)[shipment.start : shipment.stop] + self.bias
        row_s = dealer.FIRST_GUESS_ROW_S * shipment.rows
        self._pool.on_reply(cast(Lane[Shipment], self), shipment, failure or ScoreReply(levels, row_s, 0.0))

    @property
    def lane(self) -> Lane[Shipment]:
        """This lane, as the pool sees it."""
        return cast(Lane[Shipment], self)

    def come_back(self, header: ModelHeader = HEADER, sha256: str = "", bias: float = 0.0) -> None:
        """Connects again; the replica may serve another file."""
        self._pool.accept(self.lane, header, {"sha256": sha256})
        self.bias, self.state = bias, "up"
        self._pool.on_up(self.lane)

    def break_down(self) -> None:
        lost = list(self.sent)
        self.sent.clear()
        self.outstanding_rows, self.state, self.why_down = 0, "down", "gone"
        self._pool.on_down(cast(Lane[Shipment], self), lost)


def new_pool(sha256: str | None = None) -> ModelPool:
    planner = RowPlanner(Sources(COLUMNS, {}, None))
    return ModelPool(Model(name="m", uri="m.txt", sha256=sha256), planner, COLUMNS, NEVER_STARVED, 1, clock=now_s)


class Ask:
    """Has a pool score `count` rows (levels `first`, `first` + 1, ...)."""

    def __init__(self, pool: ModelPool, count: int, first: int = 0) -> None:
        players = [PlayerFeatures(struct.pack("<d", first + row), (), 0.0) for row in range(count)]
        rows = CohortRows(COLUMNS, players, [Passenger({}, ())] * count)
        self.expected = [float(first + row) for row in range(count)]
        self.ballot = Ballot(["m"], count, 1, lambda: None)
        self.task = asyncio.ensure_future(
            pool.start_vote(rows, COLUMNS, [Place(self.ballot, 0)], time.monotonic() + 60)
        )

    async def votes(self) -> list[float]:
        assert await asyncio.wait_for(self.task, 1) is None
        votes: list[float] = self.ballot.votes[0].tolist()
        return votes

    async def failure(self) -> MeshError:
        failure = await asyncio.wait_for(self.task, 1)
        assert failure is not None
        return failure
