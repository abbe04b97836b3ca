"""What the supervisor answers: where it comes from, what is amiss, what it is, and where the time went."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Source(enum.Enum):
    """Where an answer comes from."""

    ENSEMBLE = 1
    PARTIAL = 2
    FALLBACK = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an answer is not the whole ensemble's on whole features: a stable word, and a sentence for a reader."""

    word: str
    detail: str

    def __str__(self) -> str:
        return f"{self.word}: {self.detail}"


@dataclass(frozen=True, slots=True)
class RankedOffer:
    """An offer with its combined score; both figures are None in a fallback."""

    offer_id: str
    score: float | None
    expected_revenue: float | None


@dataclass(slots=True)
class Timings:
    """Where the time went, in seconds; the stages do not overlap."""

    queue_s: float = 0.0
    features_s: float = 0.0
    fan_out_s: float = 0.0
    combine_s: float = 0.0
    total_s: float = 0.0
    last_model: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, before it is put on the wire."""

    source: Source
    reason: Reason | None
    score: float | None = None
    offers: tuple[RankedOffer, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    features_age_s: float | None = None
    unknown_player: bool = False
    timings: Timings = field(default_factory=Timings)
