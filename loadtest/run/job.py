"""The job of one sender process, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from loadtest.game_inputs import ContextValue, GameInputs
from loadtest.workloads import Method


@dataclass(frozen=True, slots=True)
class Question:
    """The request that a run repeats for players of `player_ids`; see `GameInputs` for its contents."""

    address: str
    method: Method
    game: str
    version: str
    deadline_ms: float
    context: Mapping[str, ContextValue]
    player_ids: Sequence[str]
    drawn: Mapping[str, Sequence[ContextValue]] = field(default_factory=dict)
    offer_ids: Sequence[str] = ()
    candidates: int = 0

    @property
    def inputs(self) -> GameInputs:
        """The contents of the requests."""
        return GameInputs(self.game, self.player_ids, self.context, self.drawn, self.offer_ids, self.candidates)


@dataclass(frozen=True, slots=True)
class Job:
    """The share of one sender: request i is due `offsets_s[i]` after `start_s` (monotonic), for player `players[i]`."""

    question: Question
    start_s: float
    offsets_s: list[float]
    players: list[int]
    max_unanswered: int
    connections: int
    raises_priority: bool
    answers: str  # the file for the answers, one JSON object per line

    def write(self, path: Path) -> None:
        """Writes the job to a file."""
        path.write_text(json.dumps(asdict(self)))


def read_job(path: Path) -> Job:
    """Reads a job that `write` wrote."""
    fields = json.loads(path.read_text())
    return Job(**{**fields, "question": Question(**fields["question"])})
