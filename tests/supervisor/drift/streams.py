"""Simulated requests of a game with every kind of feature, and the reference of their training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesh.catalog.offers_table import OffersTable, parse_offers
from mesh.catalog.sources import Sources
from mesh.category_lists import Category
from mesh.drift.counts import Layout
from mesh.drift.disagreement import disagreement_of
from mesh.drift.findings import Finding, find
from mesh.drift.reference import Reference
from mesh.players.features import Columns, PlayerFeatures
from mesh.reference.training import Column, category_distribution, number_distribution
from supervisor.drift.monitor import Monitor
from supervisor.drift.places import FeaturePlaces
from supervisor.drift.sample import Sample

COLUMNS = Columns(("level", "spend", "tier"), ("country",))
CONTEXT = {"minutes": "number", "platform": "text"}
OFFERS = parse_offers("offer_id,price,kind\na,1,gems\nb,5,gems\nc,20,cards\n", "the table")
SOURCES = Sources(COLUMNS, CONTEXT, OFFERS)  # type: ignore[arg-type]
COUNTRIES = ("us", "de", "jp", "br")
PLATFORMS = ("ios", "android")
TIERS = (10, 20, 30)
KINDS = ("gems", "cards")
KNOWN: Mapping[str, set[object]] = {
    "country": set(COUNTRIES),
    "platform": set(PLATFORMS),
    "tier": set(TIERS),
    "kind": set(KINDS),
}
MODELS = ("whales", "pvp", "lapsed")
TRAINING_ROWS = 20_000
Values = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Stream:
    """The values of requests by feature; `votes` [requests, models]. The offer is a position in the table."""

    values: Values
    votes: NDArray[np.float64]


def draw(rng: np.random.Generator, requests: int) -> Stream:
    """Draws requests as the training had them."""
    level = rng.normal(20, 5, requests).round()
    spend = np.where(rng.random(requests) < 0.6, 0.0, rng.lognormal(2, 1, requests))
    spend[rng.random(requests) < 0.1] = np.nan
    skill = rng.normal(size=requests)
    votes = np.column_stack([place + skill + rng.normal(0, 0.3, requests) for place in range(len(MODELS))])
    values: Values = {
        "level": level,
        "spend": spend,
        "tier": rng.choice(TIERS, requests).astype(float),
        "country": rng.choice(COUNTRIES, requests, p=(0.5, 0.3, 0.15, 0.05)).astype(object),
        "minutes": rng.exponential(30, requests),
        "platform": rng.choice(PLATFORMS, requests).astype(object),
        "offer": rng.integers(len(OFFERS.ids), size=requests),
    }
    return Stream(values, votes)


def reference() -> Reference:
    """Returns the reference of a training."""
    stream = draw(np.random.default_rng(1), TRAINING_ROWS)
    offered = {name: np.array(values)[stream.values["offer"]] for name, values in _tables(OFFERS).items()}
    values = {**{name: one for name, one in stream.values.items() if name != "offer"}, **offered}
    scores = {name: number_distribution(stream.votes[:, place], has_moments=True) for place, name in enumerate(MODELS)}
    return Reference(
        rows=TRAINING_ROWS,
        features={
            name: category_distribution(_column(one), tuple(_categories(name)))
            if name in KNOWN
            else number_distribution(one.astype(float))
            for name, one in values.items()
        },
        scores=scores,
        models=dict.fromkeys(MODELS, "0" * 64),
        disagreement=number_distribution(disagreement_of(stream.votes, list(scores.values())), has_moments=True),
    )


def samples_of(stream: Stream) -> list[Sample]:
    """Returns the requests as a supervisor samples them."""
    numbers = np.column_stack([stream.values[name].astype(float) for name in COLUMNS.numbers])
    context = zip(stream.values["minutes"].tolist(), stream.values["platform"], strict=True)
    return [
        Sample(
            COLUMNS,
            PlayerFeatures(numbers[row].tobytes(), (stream.values["country"][row],), 0.0),
            {"minutes": minutes, "platform": platform},
            int(stream.values["offer"][row]),
            stream.votes[row],
        )
        for row, (minutes, platform) in enumerate(context)
    ]


def findings_of(stream: Stream, known: Reference) -> list[Finding]:
    """Returns the findings of a supervisor that has sampled `stream`."""
    monitor = Monitor(known, MODELS, clock=lambda: 0.0)
    places = FeaturePlaces(monitor.layout, COLUMNS, SOURCES, KNOWN)
    samples = samples_of(stream)
    for start in range(0, len(samples), 64):
        part = samples[start : start + 64]
        monitor.add(places.find(part), np.array([one.votes for one in part]))
    return find(Layout(known), monitor.counts())


def _tables(offers: OffersTable) -> dict[str, list[Any]]:
    return {name: list(values) for name, values in (*offers.numbers.items(), *offers.texts.items())}


def _categories(name: str) -> tuple[Category, ...]:
    known: dict[str, tuple[Category, ...]] = {
        "country": COUNTRIES,
        "platform": PLATFORMS,
        "tier": TIERS,
        "kind": KINDS,
    }
    return known[name]


def _column(values: NDArray[Any]) -> Column:
    known, places = np.unique(values, return_inverse=True)
    return Column(places.astype(np.intp), known.tolist())
