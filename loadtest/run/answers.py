"""The answer to each request, and its class."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLASSES = ("full", "partial", "fallback", "refused", "late", "error", "wrong", "unsent")
STAGES = ("queue", "features", "fan-out", "combine", "total")
# gRPC itself refuses with CANCELLED a call that finds its queue full; the senders never cancel a call.
REFUSING_CODES = ("RESOURCE_EXHAUSTED", "UNAVAILABLE", "CANCELLED")
SERVED = {"ENSEMBLE": "full", "PARTIAL": "partial", "FALLBACK": "fallback"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One request with its answer; times are seconds since the start of the run.

    `code` is OK, the name of a gRPC code, or UNSENT; the fields after it are set for OK only. `stages_ms` has one
    value per stage of `STAGES`. `scores` are pairs of offer and score; the score is None in a fallback.
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
    is_unknown: bool = False  # the store has no such player
    scores: tuple[tuple[str, float | None], ...] = field(default=())
    is_explored: bool = False  # the first offer was drawn by the version's `explore`

    @property
    def latency_ms(self) -> float:
        """The latency from the due time, so that a stall counts for every request that it delays."""
        return (self.answered_s - self.due_s) * 1000

    @property
    def latency_from_send_ms(self) -> float:
        """The latency from the send, as closed-loop tools measure it."""
        return (self.answered_s - self.sent_s) * 1000

    @property
    def slip_ms(self) -> float:
        """How late the request was sent."""
        return (self.sent_s - self.due_s) * 1000


def class_of(answer: Answer, deadline_ms: float, is_wrong: bool) -> str:
    """The first class that applies: unsent, wrong, late, refused, else that of the source, else error.

    The fallback is the right answer for a player of the holdout, so it counts as full.
    """
    if answer.code == "UNSENT":
        return "unsent"
    if is_wrong:
        return "wrong"
    if answer.code == "DEADLINE_EXCEEDED" or (answer.code == "OK" and answer.latency_ms > deadline_ms):
        return "late"
    if answer.code in REFUSING_CODES or (answer.source == "FALLBACK" and answer.reason == "overloaded"):
        return "refused"
    if answer.source == "FALLBACK" and answer.reason == "holdout":
        return "full"
    return SERVED.get(answer.source, "error")


def read_answers(path: Path) -> Iterator[Answer]:
    """Reads the answers that a sender wrote."""
    with path.open() as file:
        for line in file:
            yield _answer(json.loads(line))


def _answer(fields: dict[str, Any]) -> Answer:
    for name in ("missing", "stages_ms"):
        if name in fields:
            fields[name] = tuple(fields[name])
    if "scores" in fields:
        fields["scores"] = tuple((offer, score) for offer, score in fields["scores"])
    return Answer(**fields)
