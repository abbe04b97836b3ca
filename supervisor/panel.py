"""Panel: the models of one version, which are asked at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mesh.players.features import Columns
from mesh.version_digest import version_digest
from supervisor.ballot import Ballot, Place
from supervisor.inputs import COMPLETE, Gaps, VersionInputs
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows


class FileDigests:
    """The digest of the latest files of a panel: computed when a file changes, not for each answer."""

    __slots__ = ("_digest", "_files")

    def __init__(self) -> None:
        self._files: tuple[str, ...] | None = None
        self._digest = ""

    def of(self, models: Sequence[str], files: Sequence[str]) -> str:
        """Returns the digest of `files` [models]."""
        if tuple(files) != self._files:
            self._files = tuple(files)
            self._digest = version_digest(dict(zip(models, files, strict=True)))
        return self._digest


@dataclass(frozen=True, slots=True)
class Panel:
    """The model pools of one version, in catalog order, and the check of their inputs.

    `shadows` are the pools of the models that have no vote.
    """

    pools: tuple[ModelPool, ...]
    inputs: VersionInputs | None = None
    shadows: tuple[ModelPool, ...] = ()
    digests: FileDigests = field(default_factory=FileDigests)

    @property
    def all_pools(self) -> tuple[ModelPool, ...]:
        """The pools of all models."""
        return self.pools + self.shadows

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that vote."""
        return tuple(pool.model.name for pool in self.pools)

    def digest(self, files: Sequence[str]) -> str:
        """Returns the digest of the version for `files`: the SHA-256 of the file of each model."""
        return self.digests.of(self.models, files)

    def gaps(self, rows: CohortRows) -> list[Gaps]:
        """Returns the gaps in the inputs of each request of a cohort, and counts them."""
        if self.inputs is None:
            return [COMPLETE] * len(rows.passengers)
        plans = dict.fromkeys(pool.plan for pool in self.pools)
        return self.inputs.gaps(tuple(plan for plan in plans if plan is not None), rows)


def ask_panels(panels: Iterable[tuple[Panel, Ballot]], rows: CohortRows, columns: Columns, deadline_s: float) -> None:
    """Asks the models of `panels` to score the rows of their ballots; `deadline_s` is monotonic.

    The ballots follow each other in the rows of the cohort. A model of several panels gets the rows of ballots that are
    neighbours together. A slow or failing model loses only its own vote: a failure is in the ballot, never an
    exception.
    """
    asked: dict[ModelPool, list[Place]] = {}
    for panel, ballot in panels:
        for index, pool in enumerate(panel.pools):
            asked.setdefault(pool, []).append(Place(ballot, index))
    for pool, places in asked.items():
        for neighbours in _neighbours(places):
            pool.start_vote(rows, columns, neighbours, deadline_s)


def _neighbours(places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    """Divides `places` where the rows of one ballot do not follow those of the ballot before it."""
    start = 0
    for position in range(1, len(places)):
        if places[position].ballot.first != places[position - 1].ballot.stop:
            yield places[start:position]
            start = position
    yield places[start:]
