"""What one sender process is to do, as the file that tells it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.workloads import Method


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom, again and again, for players of `player_ids`."""

    address: str
    method: Method
    game: str
    version: str
    deadline_ms: float
    context: Mapping[str, float | bool | str]
    player_ids: list[str]


@dataclass(frozen=True, slots=True)
class Job:
    """One sender's share: request i is due `offsets_s[i]` after `start_s` (monotonic), for `players[i]`."""

    question: Question
    start_s: float
    offsets_s: list[float]
    players: list[int]
    max_unanswered: int
    answers: str  # the file to fill, one JSON object a line

    def write(self, path: Path) -> None:
        """Leaves it in a file."""
        path.write_text(json.dumps(asdict(self)))


def read_job(path: Path) -> Job:
    """What `write` left."""
    told = json.loads(path.read_text())
    return Job(**{**told, "question": Question(**told["question"])})
