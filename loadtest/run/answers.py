"""What became of each request, and which of seven classes that is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLASSES = ("full", "partial", "fallback", "refused", "late", "error", "wrong", "unsent")
STAGES = ("queue", "features", "fan-out", "combine", "total")
REFUSING_CODES = ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
SERVED = {"ENSEMBLE": "full", "PARTIAL": "partial", "FALLBACK": "fallback"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was due, sent and answered (seconds of the run), and what came.

    `code` is OK, the name of a gRPC code, or UNSENT; the fields after it are those of an answer that came.
    `stages_ms` [5]: see `STAGES`. `scores`: offer and score, None in a fallback.
    """

    player_id: str
    due_s: float
    sent_s: float
    answered_s: float
    code: str
    source: str = ""
    reason: str = ""
    version: str = ""
    missing: tuple[str, ...] = ()
    stages_ms: tuple[float, ...] = ()
    last_model: str = ""
    scores: tuple[tuple[str, float | None], ...] = field(default=())

    @property
    def latency_ms(self) -> float:
        """From the moment it was due: a stall counts for all whom it kept waiting."""
        return (self.answered_s - self.due_s) * 1000

    @property
    def latency_from_send_ms(self) -> float:
        """From the moment it left, as closed-loop tools count."""
        return (self.answered_s - self.sent_s) * 1000

    @property
    def slip_ms(self) -> float:
        """How late it left."""
        return (self.sent_s - self.due_s) * 1000


def class_of(answer: Answer, deadline_ms: float, is_wrong: bool) -> str:
    """The one class that counts most: unsent, wrong, late, refused, error, then what the answer says of itself."""
    if answer.code == "UNSENT":
        return "unsent"
    if is_wrong:
        return "wrong"
    if answer.code == "DEADLINE_EXCEEDED" or (answer.code == "OK" and answer.latency_ms > deadline_ms):
        return "late"
    if answer.code in REFUSING_CODES or (answer.source == "FALLBACK" and answer.reason == "overloaded"):
        return "refused"
    return SERVED.get(answer.source, "error")


def read_answers(path: Path) -> Iterator[Answer]:
    """The answers that a sender left."""
    with path.open() as file:
        for line in file:
            yield _answer(json.loads(line))


def _answer(told: dict[str, Any]) -> Answer:
    for name in ("missing", "stages_ms"):
        if name in told:
            told[name] = tuple(told[name])
    if "scores" in told:
        told["scores"] = tuple((offer, score) for offer, score in told["scores"])
    return Answer(**told)
