"""Random blocks, and what their rows are: computed one candidate at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesh.decision_id import new_id
from mesh.decisions.block import DecisionBlock, OutcomeBlock, Rows
from mesh.decisions.schema import DECISION_SCHEMA

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Shape:
    """The size of a block, and which of its optional parts it has."""

    requests: int = 5
    offers: int = 4
    models: int = 3
    widths: tuple[int, ...] = (3, 2)
    picks: bool = True
    scores: bool = True
    prices: bool = True
    votes: bool = True
    kept: bool = False
    seed: int = 1
    time: datetime = NOON
    game: str = "arena"


@dataclass(frozen=True)
class Drawn:
    """The values of a block as arrays."""

    shape: Shape
    counts: NDArray[np.int64]
    picks: NDArray[np.uint32]
    scores: NDArray[np.float64]
    prices: NDArray[np.float64]
    votes: NDArray[np.float64]
    kept: NDArray[np.uint32]
    rows: tuple[NDArray[np.float64], ...]
    ids: list[str] = field(default_factory=list)

    @property
    def offers(self) -> tuple[str, ...]:
        return tuple(f"offer_{number}" for number in range(self.shape.offers))

    def block(self) -> DecisionBlock:
        shape = self.shape
        return DecisionBlock(
            shape.game,
            shape.requests,
            {"supervisor": "sup-0", "version": "2026-11", "source": "ENSEMBLE", "pinned": False},
            {
                "decision_id": self.ids,
                "time": [micros(shape.time) + number for number in range(shape.requests)],
                "player": [None if number % 3 == 2 else f"p{number}" for number in range(shape.requests)],
                "limit": list(range(shape.requests)),
                "missing_models": [["m1", "m2"][: number % 3] for number in range(shape.requests)],
                "total_ms": [number / 2 for number in range(shape.requests)],
            },
            counts=self.counts.tolist(),
            offers=self.offers,
            picks=self.picks.tobytes() if shape.picks else None,
            scores=self.scores.tobytes() if shape.scores else None,
            prices=self.prices.tobytes() if shape.prices else None,
            models=shape.models,
            votes=self.votes.tobytes() if shape.votes else None,
            kept=self.kept.tobytes() if shape.kept else None,
            rows=tuple(Rows(f"layout{number}", rows.shape[1], rows.tobytes()) for number, rows in enumerate(self.rows)),
        )

    def expected(self) -> list[dict[str, Any]]:
        """The rows of the table, NaN as the text 'NaN' so that rows can be compared."""
        return [self._row(number, first) for number, first in enumerate(np.cumsum(self.counts) - self.counts)]

    def _row(self, number: int, first: int) -> dict[str, Any]:
        shape = self.shape
        empty: dict[str, Any] = dict.fromkeys(DECISION_SCHEMA.names)
        row = empty | {
            "supervisor": "sup-0",
            "version": "2026-11",
            "source": "ENSEMBLE",
            "pinned": False,
            "decision_id": self.ids[number],
            "time": shape.time + timedelta(microseconds=number),
            "player": None if number % 3 == 2 else f"p{number}",
            "limit": number,
            "missing_models": ["m1", "m2"][: number % 3],
            "total_ms": number / 2,
        }
        places = range(first, first + int(self.counts[number]))
        if places:
            row |= self._of_candidates(places)
            if self.rows:
                row["rows"] = [
                    {"layout": f"layout{layout}", "values": [_text(value) for value in rows[number]]}
                    for layout, rows in enumerate(self.rows)
                ]
        return row

    def _of_candidates(self, places: range) -> dict[str, Any]:
        shape = self.shape
        row: dict[str, Any] = {"candidates": [self.offers[self.picks[place]] for place in places]}
        if shape.scores and not math.isnan(self.scores[places[0]]):
            row["scores"] = [float(self.scores[place]) for place in places]
            if shape.prices:
                revenues = [float(self.scores[place] * self.prices[self.picks[place]]) for place in places]
                row["revenues"] = [None if math.isnan(revenue) else revenue for revenue in revenues]
        if shape.votes:
            kept = {place for place in places if not shape.kept or place in self.kept}
            votes = [
                float(self.votes[model, place]) if place in kept else math.nan
                for place in places
                for model in range(shape.models)
            ]
            row["votes"] = [None if math.isnan(vote) else vote for vote in votes] if kept else None
        return row


def draw(shape: Shape) -> Drawn:
    """Draws a block: some requests lack candidates or a quorum, and some votes, prices and values are missing."""
    random = np.random.default_rng(shape.seed)
    some = random.integers(0, shape.offers + 1, shape.requests)
    counts = some if shape.picks else np.where(some == 0, 0, shape.offers)
    total = int(counts.sum())
    picks = random.integers(0, shape.offers, total, np.uint32)
    if not shape.picks:
        picks = np.tile(np.arange(shape.offers, dtype=np.uint32), total // shape.offers)
    scores = random.random(total)
    scores[np.repeat(random.random(shape.requests) < 0.2, counts)] = np.nan
    return Drawn(
        shape,
        counts,
        picks,
        scores,
        _with_gaps(random, (shape.offers,)),
        _with_gaps(random, (shape.models, total)),
        np.flatnonzero(random.random(total) < 0.5).astype(np.uint32),
        tuple(_with_gaps(random, (shape.requests, width)) for width in shape.widths),
        [new_id() for _ in range(shape.requests)],
    )


def outcomes(count: int, received: datetime = NOON, game: str = "arena") -> OutcomeBlock:
    columns: dict[str, list[Any]] = {
        "outcome_id": [f"o{number}" for number in range(count)],
        "time": [micros(received - timedelta(days=400))] * count,
        "received": [micros(received)] * count,
        "kind": ["purchased"] * count,
        "value": [4.99] * count,
    }
    return OutcomeBlock(game, count, columns)


def comparable(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a table with the text 'NaN' in place of NaN in the values of shared rows."""
    return list(_comparable(rows))


def _comparable(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        shared = row["rows"] and [
            {"layout": entry["layout"], "values": [_text(value) for value in entry["values"]]} for entry in row["rows"]
        ]
        yield row | {"rows": shared}


def _text(value: float) -> float | str:
    return "NaN" if math.isnan(value) else float(value)


def _with_gaps(random: np.random.Generator, size: tuple[int, ...]) -> NDArray[np.float64]:
    values = random.normal(size=size)
    values[random.random(size) < 0.2] = np.nan
    return values
