"""The job of one sender process, as a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.workloads import Method


@dataclass(frozen=True, slots=True)
class Question:
    """The request that a run repeats for players of `player_ids`."""

    address: str
    method: Method
    game: str
    version: str
    deadline_ms: float
    context: Mapping[str, float | bool | str]
    player_ids: list[str]


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
