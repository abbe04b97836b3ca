"""Logs of real models: rows, scores and orders are those of the supervisor's code, votes are LightGBM's."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import lightgbm
import numpy as np
import pandas as pd

from mesh.catalog.catalog import ContextKind
from mesh.catalog.offers_table import OffersTable, parse_offers
from mesh.catalog.sources import Sources
from mesh.catalog.version import Combine, Version
from mesh.decisions.schema import DECISIONS
from mesh.exploration import Explore
from mesh.model_file import read_header
from mesh.players.features import Columns, PlayerFeatures
from supervisor.exploration import DrawnOffers, Exploration
from supervisor.ranking import Ranking
from supervisor.rows import CohortRows, Passenger, RowPlan, Value, lay_out
from supervisor.ticket import Ticket
from supervisor.vote_count import count_votes
from tests.decisions.log_writer import write_rows, write_side_file
from tests.decisions.simulated_log import uuids
from tests.forests import fit

GAME = "dragonfall"
BEGIN = datetime(2026, 11, 2, 12, tzinfo=UTC)
COLUMNS = Columns(("level", "spend"), ("country",))
CONTEXT: Mapping[str, ContextKind] = {"platform": "text", "art": "text", "minutes": "number"}
OFFERS = parse_offers(
    "offer_id,price,art\nstarter,0.99,sun\ngold,9.99,moon\ngems,4.99,\ngift,,sun\ncoins,4.99,star\n", "offers"
)
OFFERS_ID = "0ffe75"
_ROWS = 400


@dataclass(frozen=True)
class ScoredVersion:
    """A version whose models are files in `folder`: three layouts, one of them without features of offers."""

    folder: Path
    name: str = "2026-10"
    combine: Combine = field(default_factory=Combine)
    rank_by: str = "expected_revenue"
    seed: int = 1
    offers: OffersTable = OFFERS
    explore: Explore | None = None

    @cached_property
    def models(self) -> dict[str, Path]:
        """The file of each model by name; trains them."""
        random = np.random.default_rng(self.seed)
        files = {
            "plain": ["level", "spend", "price", "minutes"],
            "texts": ["level", "country", "art", "platform"],
            "player": ["spend", "country"],
            "again": ["level", "spend", "price", "minutes"],
        }
        return {name: _train(self.folder / self.name / f"{name}.txt", random, used) for name, used in files.items()}

    @cached_property
    def version(self) -> Version:
        """The block of the catalog."""
        models = [
            {"name": name, "uri": str(path), "weight": 1 + at} for at, (name, path) in enumerate(self.models.items())
        ]
        rule = self.combine.model_dump(exclude_none=True)
        return Version.model_validate({"combine": rule, "models": models}, context={"folder": self.folder})

    @cached_property
    def plans(self) -> dict[str, RowPlan]:
        """The row plan of each model."""
        sources = Sources(COLUMNS, CONTEXT, self.offers)
        return {name: lay_out(read_header(path), sources) for name, path in self.models.items()}

    @cached_property
    def boosters(self) -> dict[str, lightgbm.Booster]:
        """LightGBM's model of each file."""
        return {name: lightgbm.Booster(model_file=path) for name, path in self.models.items()}

    @property
    def ranking(self) -> Ranking:
        """The ranking of the supervisor."""
        return Ranking(self.offers, self.rank_by == "expected_revenue")

    def catalog(self) -> Path:
        """Writes the catalog of the game with this version; returns its path."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "offers.csv").write_text(_csv(self.offers))
        models = "\n".join(
            f"      - {{name: {one.name}, uri: {one.uri}, weight: {one.weight}}}" for one in self.version.models
        )
        file = self.folder / "catalog.yaml"
        file.write_text(
            f"game: {GAME}\nfeatures: {{store: sqlite, path: players.sqlite}}\n"
            f"context: {json.dumps(dict(CONTEXT))}\n"
            f"offers: {{path: offers.csv, fallback: starter, rank_by: {self.rank_by}}}\n"
            f"versions:\n  '{self.name}':\n    combine: {json.dumps(self.combine.model_dump(exclude_none=True))}\n"
            f"    models:\n{models}\n"
        )
        return file

    def side_files(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The kind, the name and the content of each side file."""
        layouts = {name: _layout(plan) for name, plan in self.plans.items()}
        yield "ensembles", self.ensemble, {
            "schema_version": 1, "game": GAME, "version": self.name, "version_digest": "0" * 64,
            "combine": {"quorum": 2, **self.combine.model_dump()}, "rank_by": self.rank_by,
            "explore": None if self.explore is None else self.explore.model_dump(mode="json"),
            "models": [
                {"name": one.name, "uri": one.uri, "sha256": _sha256(Path(one.uri)), "weight": one.weight,
                 "class_index": None, "layout": _id(layouts[one.name])}
                for one in self.version.models
            ],
            "offers": self.offers_id,
        }  # fmt: skip
        for layout in layouts.values():
            yield "layouts", _id(layout), layout
        features = {_id(layouts[name]): _offer_features(plan) for name, plan in self.plans.items()}
        prices = None if self.offers.prices is None else list(map(_plain, self.offers.prices))
        yield "offers", self.offers_id, {
            "schema_version": 1, "ids": list(self.offers.ids), "prices": prices, "features": features,
        }  # fmt: skip

    @property
    def ensemble(self) -> str:
        """The name of the ensemble."""
        return f"e{self.name}-{self.combine.kind}-{self.rank_by}"

    @property
    def offers_id(self) -> str:
        """The name of the table of offers."""
        return f"{OFFERS_ID}-{self.name}"

    def decide(self, random: np.random.Generator, count: int, **given: Any) -> list[dict[str, Any]]:
        """Returns the rows of `count` decisions in the log: drawn players, contexts, candidates and missing models."""
        return [self._decision(random, at, **given) for at in range(count)]

    def _decision(self, random: np.random.Generator, at: int, **given: Any) -> dict[str, Any]:
        time = BEGIN + timedelta(seconds=at)
        id_ = str(uuids(random, np.array([int(time.timestamp() * 1000)]))[0])
        player = _player(random)
        offers = range(len(self.offers.ids))
        candidates = offers if random.random() < 0.4 else tuple(
            int(one) for one in random.permutation(len(offers))[: random.integers(1, len(offers))]
        )  # fmt: skip
        passenger = Passenger(_context(random), candidates)
        rows = CohortRows(COLUMNS, [player], [passenger])
        votes = np.array(
            [self.boosters[name].predict(plan.full_rows(rows), num_threads=1) for name, plan in self.plans.items()]
        )
        missing = [int(one) for one in random.permutation(len(votes))[: random.integers(0, 3)]] if at % 3 == 0 else []
        votes[missing] = math.nan
        return {**self._answer(votes, passenger, at, id_), **self._inputs(rows, passenger), **given}

    def _answer(self, votes: Any, passenger: Passenger, at: int, id_: str) -> dict[str, Any]:
        (counted,) = count_votes(self.version, votes, [None] * len(votes), [slice(0, votes.shape[1])])
        assert counted.scores is not None
        limit, player = 1 + at % 3, f"p{at % 50}"
        ticket = Ticket(player, passenger, limit, None, 0.0, 1.0, decision_id=id_, answer=cast(Any, None))
        best, is_drawn, propensity = self._first_offers(ticket, counted.scores, votes)
        every = self.ranking.best(passenger.offers, counted.scores, len(counted.scores))
        revenues = {one.offer_id: one.expected_revenue for one in every}
        ids = [self.offers.ids[place] for place in passenger.offers]
        return {
            "decision_id": id_, "time": BEGIN + timedelta(seconds=at), "method": "GetOffer", "player": player,
            "request_id": f"r{at}", "version": self.name, "pinned": False,
            "ensemble": self.ensemble, "limit": limit, "candidates": ids,
            "scores": counted.scores.tolist(), "revenues": [revenues[one] for one in ids],
            "votes": [None if math.isnan(one) else one for one in votes.T.ravel().tolist()],
            "offers": [one.offer_id for one in best], "explored": is_drawn, "propensity": propensity,
            "source": "PARTIAL" if counted.missing else "ENSEMBLE",
            "missing_models": [name for name, _ in counted.missing] or None,
        }  # fmt: skip

    def _first_offers(self, ticket: Ticket, scores: Any, votes: Any) -> DrawnOffers:
        if self.explore is None or ticket.passenger.rows < 2:
            return DrawnOffers(self.ranking.best(ticket.passenger.offers, scores, ticket.limit), False, 1.0)
        is_weighted = self.combine.kind == "weighted_mean"
        weights = tuple(model.weight if is_weighted else 1.0 for model in self.version.voters)
        return Exploration(self.explore, self.ranking, "salt", weights).rank(ticket, scores, votes)

    def _inputs(self, rows: CohortRows, passenger: Passenger) -> dict[str, Any]:
        shared = {_id(_layout(plan)): self._shared(plan, rows, passenger) for plan in self.plans.values()}
        return {
            "rows": [{"layout": name, "values": values} for name, values in shared.items()],
            "context": json.dumps(passenger.context) if passenger.context else None,
        }

    def _shared(self, plan: RowPlan, rows: CohortRows, passenger: Passenger) -> list[float]:
        values: list[float] = plan.shared_rows(rows)[0].tolist()
        for name, column in zip(_names(plan), plan.offers_to.tolist(), strict=True):
            if name not in passenger.context:
                values[column] = math.nan
        return values


def write(
    root: Path, versions: Sequence[ScoredVersion], rows: Sequence[Mapping[str, Any]], name: str = "part-0"
) -> str:
    """Writes the rows and the side files of `versions`; returns `root` as a text."""
    write_rows(root, DECISIONS, GAME, rows, name)
    for version in versions:
        for kind, file, content in version.side_files():
            write_side_file(root, kind, GAME, file, content)
    return str(root)


def _train(path: Path, random: np.random.Generator, used: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {name: random.normal(5, 3, _ROWS) for name in ("level", "spend", "price", "minutes")}
    texts = {"country": ["de", "fr"], "art": ["moon", "sun"], "platform": ["android", "ios"]}
    drawn = {name: pd.Categorical(random.choice(values, _ROWS), categories=values) for name, values in texts.items()}
    frame = pd.DataFrame({**numbers, **drawn})
    chance = 0.3 + 0.3 * (frame["art"] == "sun") - 0.02 * frame["price"] + 0.2 * (frame["country"] == "de")
    labels = (random.random(_ROWS) < chance).to_numpy().astype(float)
    fit(frame[list(used)], labels, {"objective": "binary", "min_data_per_group": 5}).save_model(path)
    return path


def _player(random: np.random.Generator) -> PlayerFeatures | None:
    if random.random() < 0.1:
        return None
    numbers = random.normal(5, 3, 2)
    numbers[random.random(2) < 0.2] = np.nan
    return PlayerFeatures(numbers.astype("<f8").tobytes(), (random.choice(["de", "fr", "it"]),), 0.0)


def _context(random: np.random.Generator) -> dict[str, Value]:
    drawn: dict[str, Value] = {
        "platform": str(random.choice(["android", "ios", "wii"])),
        "minutes": float(random.normal(5, 3)),
        "art": str(random.choice(["sun", "moon", "unknown"])),
    }
    return {name: value for name, value in drawn.items() if random.random() < 0.5}


def _names(plan: RowPlan) -> list[str]:
    return [plan.header.feature_names[column] for column in plan.offers_to.tolist()]


def _layout(plan: RowPlan) -> dict[str, Any]:
    header = plan.header
    return {
        "schema_version": 1, "features": list(header.feature_names),
        "categories": {name: list(values) for name, values in header.categories.items()},
        "offer_features": _names(plan), "context": sorted(plan.context),
    }  # fmt: skip


def _offer_features(plan: RowPlan) -> dict[str, list[float | None]]:
    columns = plan.offers.T.tolist()
    return {name: list(map(_plain, values)) for name, values in zip(_names(plan), columns, strict=True)}


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


def _id(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _csv(offers: OffersTable) -> str:
    names = ["offer_id", *offers.spellings, *offers.texts]
    columns = [offers.ids, *offers.spellings.values(), *offers.texts.values()]
    lines = [",".join(cell or "" for cell in line) for line in zip(*columns, strict=True)]
    return "\n".join([",".join(names), *lines]) + "\n"
