"""Chooses the generation of a model that gets new rows (docs/decisions/0017-generations.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

# The generation in use gives way to a larger one only if it has fewer than this share of its lanes: a generation that
# is still growing, or that lost a lane for a moment, must not cause two switches.
FEW = 0.5


class Candidate(Protocol):
    """The part of a generation that the choice reads. `Generation` implements it."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of its model file; '' if its replicas do not report it."""
        ...

    @property
    def lanes_up(self) -> int:
        """The number of replicas that are connected. A replica that is leaving does not count."""
        ...


CandidateT = TypeVar("CandidateT", bound=Candidate)


def choose(generations: Sequence[CandidateT], in_use: CandidateT, wanted_sha256: str | None) -> CandidateT:
    """Returns the one of `generations` that gets new rows; they are in the order in which they came.

    The wanted generation is that of `wanted_sha256`, or else the newest. It gets the rows as soon as it has as many
    lanes as the generation `in_use`. If no lane is up, nothing changes.
    """
    lanes = {generation: generation.lanes_up for generation in generations if generation.lanes_up}
    if not lanes:
        return in_use
    wanted = _wanted(list(lanes), wanted_sha256)
    largest = max(reversed(lanes), key=lanes.__getitem__)  # of equal ones the newest
    enough = FEW * lanes[largest]
    if lanes.get(in_use, 0) < enough or in_use not in lanes:
        return wanted if wanted is not None and lanes[wanted] >= enough else largest
    return wanted if wanted is not None and lanes[wanted] >= lanes[in_use] else in_use


def _wanted(up: Sequence[CandidateT], sha256: str | None) -> CandidateT | None:
    if sha256 is None:
        return up[-1]
    return next((generation for generation in reversed(up) if generation.sha256 == sha256), None)
