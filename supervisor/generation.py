"""Generation: the replicas of a model that serve one model file, and the rows that wait for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from mesh.errors import Expired, MeshError, Unavailable
from mesh.model_file import ModelHeader
from supervisor.backlog import PoolLoad
from supervisor.ballot import ModelVote
from supervisor.dealer import Dealer
from supervisor.hedging import Hedging
from supervisor.lane import Lane
from supervisor.lane_reply import ScoreReply
from supervisor.rotation import Rotation
from supervisor.row_queue import RowQueue
from supervisor.rows import RowPlan
from supervisor.second_tries import SecondTries
from supervisor.shadow.rows import ShadowRows
from supervisor.shipment import Shipment

MAX_TRIES = 2


class Starvation(Protocol):
    """The CPU starvation of this machine. `MachineStarvation` implements it."""

    def report(self, share: float) -> None:
        """Adds the share of time that a worker waits for a CPU, from its reply."""
        ...

    def is_starved(self) -> bool:
        """Returns whether more work under way only makes all work slower."""
        ...


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file as its replicas describe it; a replica that is not ours may leave out the SHA-256."""

    header: ModelHeader
    sha256: str | None

    def __str__(self) -> str:
        return self.sha256[:12] if self.sha256 else "without a SHA-256"


class GenerationOwner(Protocol):
    """The model of several generations. `ModelPool` implements it."""

    def draining_of(self, generation: Generation) -> Collection[Lane[Shipment]]:
        """Returns the lanes of `generation` to removed replicas that are still open."""
        ...

    def move(self, origin: Generation, shipment: Shipment, failure: MeshError, sent_rows: int) -> None:
        """Has another generation score all rows of a vote that `origin` cannot complete, or fails it with `failure`.

        `sent_rows` of the vote are then sent again.
        """
        ...


class Generation:
    """The lanes to the replicas that serve `file`. Its rows are queued, dealt, retried and hedged on these lanes only.

    So one file scores all rows of a vote. `file` is None, and there are no rows, until a replica has described the
    first file of the model. `plan` is the row plan of the file. `models` is the number of models of the panel. All
    generations of a model share `tries`. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        file: ModelFile | None,
        models: int,
        starvation: Starvation,
        tries: SecondTries,
        owner: GenerationOwner,
        clock: Callable[[], float],
    ) -> None:
        self.file = file
        self.plan: RowPlan | None = None
        self.lanes: dict[Lane[Shipment], None] = {}  # in the order in which they joined
        self.queue = RowQueue()
        self.rotation = Rotation(self.deal)
        self._shadow_rows = ShadowRows()
        self._starvation = starvation
        self._tries = tries
        self._owner = owner
        self.hedging = Hedging(
            self.rotation,
            tries.budget,
            lambda: self.lanes,
            starvation.is_starved,
            self._send_again,
            lambda: owner.draining_of(self),
            clock,
        )
        self.dealer = Dealer(self.queue, models, self.rotation, self.hedging.watch, clock)

    @property
    def header(self) -> ModelHeader:
        """The header of `file`. Raises Unavailable if no replica has described it."""
        if self.file is None:
            raise Unavailable("no replica has described its model")
        return self.file.header

    @property
    def sha256(self) -> str:
        """The SHA-256 of `file`; '' if it is not known."""
        return (self.file.sha256 or "") if self.file is not None else ""

    @property
    def lanes_up(self) -> int:
        """The number of replicas that are connected."""
        return sum(lane.state == "up" for lane in list(self.lanes))

    @property
    def load(self) -> PoolLoad:
        """The load of the replicas that receive rows, without the rows of shadows."""
        usable = [lane.outstanding_rows for lane in self.rotation.usable(self.lanes)]
        rows = max(0, self.queue.rows + sum(usable) - self._shadow_rows.open)
        return PoolLoad(rows, len(usable), self.dealer.row_s)

    def add(self, vote: ModelVote, tries: int = 1) -> None:
        """Queues all rows of `vote`, for which there is room; `tries` counts the coming one."""
        # The rows of a shadow have no second try: it would take the budget of live rows.
        self.queue.add(Shipment(vote, vote.first, vote.stop, MAX_TRIES if vote.is_shadow else tries))
        self._shadow_rows.add(vote)

    def deal(self) -> None:
        """Sends queued rows, as far as lanes are free."""
        self.dealer.deal(self.lanes)

    def close(self) -> None:
        """Ends the watch over the shipments."""
        self.hedging.close()

    def remove(self, lane: Lane[Shipment]) -> None:
        """Removes a lane that receives no more rows; rows may be outstanding on it."""
        del self.lanes[lane]
        self.dealer.forget(lane)
        self.rotation.forget(lane)

    def on_down(self, lane: Lane[Shipment], lost: Sequence[Shipment], failure: MeshError) -> None:
        """Puts each lost shipment back into the queue once; fails the votes of the others."""
        self.rotation.forget(lane)
        for shipment in lost:
            shipment.end_span(failure)
        for shipment in reversed(lost):  # each goes to the head of the queue, so the oldest must be the last
            self._retry(shipment, failure)

    def on_reply(self, lane: Lane[Shipment], request: Shipment, reply: ScoreReply | MeshError) -> None:
        """Records the votes and deals again; a refused shipment is retried once if there is another lane."""
        request.end_span(reply)
        if isinstance(reply, ScoreReply):
            if not request.vote.is_shadow:
                self._starvation.report(reply.starved)
            self._learn(lane, request, reply)
            self._cast(request, reply)
        elif isinstance(reply, Expired) or request.vote.is_shadow:
            self._fail(request, reply)  # expired rows say nothing against the replica
        elif self._has_other_lane(lane):
            self.rotation.record_failure(lane)
            self._retry(request, reply)
        elif request.tries < MAX_TRIES:
            self._owner.move(self, request, reply, request.vote.rows)
        else:
            self._fail(request, reply)
        self.rotation.record_reply(lane)
        self.deal()

    def _learn(self, lane: Lane[Shipment], request: Shipment, reply: ScoreReply) -> None:
        if self.rotation.is_late(lane) and self.rotation.in_rotation(self.lanes):
            return  # the time of a replica that is slow alone says nothing about the others
        if reply.predict_s is not None:
            self.dealer.learn(request.rows, reply.predict_s)
        if request.sent_s:
            self.hedging.learn(request)

    def _cast(self, request: Shipment, reply: ScoreReply) -> None:
        request.finish()
        if request.race is not None:
            self._tries.wins += request.is_second_try and not request.race.has_first_reply
            request.race.has_first_reply |= not request.is_second_try
        request.vote.cast(request.start, request.stop, reply.values)

    def _send_again(self, shipments: Sequence[Shipment]) -> None:
        for shipment in reversed(shipments):
            self._tries.overdue_rows += shipment.rows
            self.queue.put_back(shipment)
        self.deal()

    def _has_other_lane(self, lane: Lane[Shipment]) -> bool:
        return any(other.state != "down" for other in self.lanes if other is not lane)

    def _retry(self, shipment: Shipment, failure: MeshError) -> None:
        may_retry = shipment.race is None and shipment.tries < MAX_TRIES and shipment.is_wanted()
        if may_retry and self._tries.budget.spend(shipment.rows):
            shipment.tries += 1
            self._tries.failed_rows += shipment.rows
            self.queue.put_back(shipment)
        else:
            self._fail(shipment, failure)

    def _fail(self, shipment: Shipment, failure: MeshError) -> None:
        if shipment.finish():  # otherwise, another shipment with these rows decides
            shipment.vote.settle(failure)
