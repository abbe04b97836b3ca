"""A simulated game whose truth is known: players, versions, a holdout, exploration, votes and outcomes, as a log.

A player has one arm for the whole time. The probability that a player buys in a decision is the conversion of the arm
x the factor of the player x the appeal of the shown offer, so that the decisions of a player are correlated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mesh.decisions.schema import DECISION_SCHEMA, DECISIONS, OUTCOME_SCHEMA, OUTCOMES
from tests.decisions.log_writer import write_side_file, write_table

HOLDOUT = "holdout"
ENSEMBLE, LAYOUT, OFFERS = "0123456789abcdef", "00000000000000aa", "00000000000000bb"
FEATURES = ("level", "spend_30d", "price")
MODELS = ("base", "whales", "new")


@dataclass(frozen=True, slots=True)
class SimulatedGame:
    """The truth. Shares and probabilities are from 0 to 1; `conversions` has the holdout, too.

    `appeals` [offers]: the factors of the offers; offer 0 is the fallback. `spread`: the standard deviation of the
    factor of a player, whose mean is 1. `heavy`: sigma of the log-normal values of purchases, whose mean is the price.
    """

    name: str = "dragonfall"
    players: int = 500
    begin: datetime = datetime(2026, 11, 2, tzinfo=UTC)
    days: int = 4
    per_player: float = 6.0
    holdout: float = 0.1
    shares: Mapping[str, float] = field(default_factory=lambda: {"2026-10": 0.5, "2026-11": 0.5})
    conversions: Mapping[str, float] = field(default_factory=lambda: {HOLDOUT: 0.05, "2026-10": 0.06, "2026-11": 0.09})
    prices: tuple[float, ...] = (1.99, 4.99, 9.99, 19.99)
    appeals: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    spread: float = 0.5
    heavy: float = 0.5
    explore: float = 0.0
    fallback: float = 0.01
    pinned: float = 0.0
    by_request: float = 0.0
    currencies: tuple[str, ...] = ("EUR",)
    seed: int = 1


@dataclass(frozen=True, slots=True)
class SimulatedLog:
    """The tables, and for each decision the number of its arm in `arms` (the holdout is the last one)."""

    game: SimulatedGame
    decisions: pa.Table
    outcomes: pa.Table
    arms: tuple[str, ...]
    arm: NDArray[np.int64]


def write(root: Path, game: SimulatedGame) -> SimulatedLog:
    """Simulates the game, and writes its log into `root`."""
    found = simulate(game)
    write_table(root, DECISIONS, game.name, found.decisions)
    if found.outcomes.num_rows:
        write_table(root, OUTCOMES, game.name, found.outcomes)
    for kind, name, content in side_files(game):
        write_side_file(root, kind, game.name, name, content)
    return found


def side_files(game: SimulatedGame) -> list[tuple[str, str, dict[str, Any]]]:
    """The kind, the name and the content of each side file. The models have addresses, but no files."""
    models = [
        {"name": name, "uri": f"models/{name}.txt", "sha256": f"{at:064x}", "weight": 1.0, "class_index": None,
         "layout": LAYOUT}
        for at, name in enumerate(MODELS)
    ]  # fmt: skip
    ensemble = {
        "schema_version": 1, "game": game.name, "version": next(iter(game.shares)), "version_digest": ENSEMBLE,
        "combine": {"kind": "mean", "quorum": 2, "trim": 0.0, "threshold": None}, "rank_by": "expected_revenue",
        "explore": None, "models": models, "offers": OFFERS,
    }  # fmt: skip
    layout = {
        "schema_version": 1,
        "features": list(FEATURES),
        "categories": {},
        "offer_features": ["price"],
        "context": [],
    }
    offers = {
        "schema_version": 1, "ids": _offer_ids(game), "prices": list(game.prices),
        "features": {LAYOUT: {"price": list(game.prices)}},
    }  # fmt: skip
    return [("ensembles", ENSEMBLE, ensemble), ("layouts", LAYOUT, layout), ("offers", OFFERS, offers)]


def simulate(game: SimulatedGame) -> SimulatedLog:
    """Draws the players, their decisions and the outcomes."""
    random = np.random.default_rng(game.seed)
    arms = (*game.shares, HOLDOUT)
    shares = np.array([*game.shares.values()]) / sum(game.shares.values())
    version = random.choice(len(shares), game.players, p=shares)
    arm_of = np.where(random.random(game.players) < game.holdout, len(shares), version)
    factor = random.gamma(1 / game.spread**2, game.spread**2, game.players) if game.spread else np.ones(game.players)
    player = np.repeat(np.arange(game.players), 1 + random.poisson(game.per_player - 1, game.players))
    offset_us = np.sort(random.integers(0, game.days * 86_400_000_000, len(player)))
    player = player[random.permutation(len(player))]
    decisions = _Decisions(random, game, player, version[player], arm_of[player] == len(shares), offset_us)
    chance = np.array([game.conversions[arm] for arm in arms])[arm_of[player]] * factor[player]
    table = decisions.table()
    return SimulatedLog(game, table, decisions.outcomes(chance), arms, arm_of[player])


class _Decisions:
    """Decisions in the order of time, all columns [decisions]."""

    def __init__(
        self,
        random: np.random.Generator,
        game: SimulatedGame,
        player: NDArray[np.int64],
        version: NDArray[np.int64],
        is_held_out: NDArray[np.bool_],
        offset_us: NDArray[np.int64],
    ) -> None:
        self.random, self.game, self.player, self.version, self.is_held_out = random, game, player, version, is_held_out
        self.count, self.offers = len(player), len(game.prices)
        self.time_us = int(game.begin.timestamp() * 1e6) + offset_us
        self.ids = uuids(random, self.time_us // 1000)
        self.is_pinned = random.random(self.count) < game.pinned
        self.is_fallback = is_held_out | (random.random(self.count) < game.fallback)
        self.is_partial = ~self.is_fallback & (random.random(self.count) < 0.05)
        self.votes = random.random((self.count, self.offers, len(MODELS)))
        self.votes[self.is_partial, :, -1] = np.nan
        self.scores = np.nanmean(self.votes, axis=2)
        self.revenues = self.scores * np.array(game.prices)
        best = self.revenues.argmax(axis=1)
        self.is_explored = ~self.is_fallback & (random.random(self.count) < game.explore)
        shown = np.where(self.is_explored, random.integers(0, self.offers, self.count), best)
        greedy = 1 - game.explore + game.explore / self.offers
        self.propensity = np.where(shown == best, greedy, game.explore / self.offers)
        self.shown = np.where(self.is_fallback, 0, shown)

    def table(self) -> pa.Table:
        has_votes = ~self.is_fallback
        names = pa.array(_offer_ids(self.game))
        total_ms = self.random.gamma(4.0, 2.0, self.count)
        columns: dict[str, Any] = {
            "decision_id": self.ids,
            "time": pa.array(self.time_us, pa.timestamp("us", tz="UTC")),
            "supervisor": _constant("supervisor-0", self.count),
            "method": _constant("GetOffer", self.count),
            "request_id": pa.array([f"r{at}" for at in range(self.count)]),
            "player": pa.array([f"p{at}" for at in self.player]),
            "version": pa.array(list(self.game.shares)).take(pa.array(self.version)),
            "pinned": pa.array(self.is_pinned),
            "ensemble": _where(has_votes, _constant(ENSEMBLE, self.count)),
            "version_digest": _where(has_votes, _constant(ENSEMBLE, self.count)),
            "limit": pa.array(np.ones(self.count, np.int32)),
            "candidates": _lists(names.take(pa.array(np.tile(np.arange(self.offers), self.count))), has_votes),
            "scores": _lists(pa.array(self.scores.ravel()), has_votes),
            "revenues": _lists(pa.array(self.revenues.ravel()), has_votes),
            "votes": _lists(pa.array(self.votes.ravel(), from_pandas=True), has_votes),
            "offers": _lists(names.take(pa.array(self.shown)), np.ones(self.count, bool)),
            "explored": pa.array(self.is_explored),
            "propensity": pa.array(np.where(has_votes, self.propensity, np.nan), from_pandas=True),
            "source": pa.array(np.select([self.is_fallback, self.is_partial], ["FALLBACK", "PARTIAL"], "ENSEMBLE")),
            "reason": _where(self.is_fallback, pa.array(np.where(self.is_held_out, HOLDOUT, "quorum"))),
            "missing_models": _lists(_constant(MODELS[-1], self.count), self.is_partial),
            "unknown_player": pa.array(np.zeros(self.count, bool)),
            "rows": self._rows(has_votes),
            "total_ms": pa.array(total_ms.astype(np.float32)),
        }
        return pa.table(
            [columns.get(field.name, pa.nulls(self.count)).cast(field.type) for field in DECISION_SCHEMA],
            schema=DECISION_SCHEMA,
        )

    def _rows(self, has_votes: NDArray[np.bool_]) -> pa.Array:
        """The shared row: the price is NaN, because it comes from the offer."""
        shared = self.random.normal(size=(self.count, len(FEATURES)))
        shared[:, -1] = np.nan
        values = _lists(pa.array(shared.ravel()), np.ones(self.count, bool))
        return _lists(
            pa.StructArray.from_arrays([_constant(LAYOUT, self.count), values], ["layout", "values"]), has_votes
        )

    def outcomes(self, chance: NDArray[np.float64]) -> pa.Table:
        """Every decision is shown; those that are bought were clicked before."""
        game, random = self.game, self.random
        chance = np.clip(chance * np.array(game.appeals)[self.shown], 0, 1)
        is_bought = random.random(self.count) < chance
        is_clicked = is_bought | (random.random(self.count) < 0.1)
        price = np.array(game.prices)[self.shown]
        value = price * np.exp(random.normal(-(game.heavy**2) / 2, game.heavy, self.count))
        by_request = random.random(self.count) < game.by_request
        parts = [
            self._kind(kind, np.flatnonzero(chosen), after_s, value if kind == "purchased" else None, by_request)
            for kind, chosen, after_s in (
                ("shown", np.ones(self.count, bool), 1),
                ("clicked", is_clicked, 5),
                ("purchased", is_bought, 30),
            )
        ]
        return pa.concat_tables(parts)

    def _kind(
        self,
        kind: str,
        at: NDArray[np.int64],
        after_s: int,
        value: NDArray[np.float64] | None,
        by_request: NDArray[np.bool_],
    ) -> pa.Table:
        ids, requests = self.ids.take(pa.array(at)), pa.array([f"r{one}" for one in at], pa.string())
        time = pa.array(self.time_us[at] + after_s * 1_000_000, pa.timestamp("us", tz="UTC"))
        currency = pa.array(self.game.currencies).take(pa.array(self.player[at] % len(self.game.currencies)))
        columns: dict[str, Any] = {
            "outcome_id": pa.array([f"{kind}-{one}" for one in ids.to_pylist()], pa.string()),
            "decision_id": _where(~by_request[at], ids),
            "request_id": _where(by_request[at], requests),
            "time": time,
            "received": time,
            "kind": _constant(kind, len(at)),
            "value": pa.nulls(len(at)) if value is None else pa.array(value[at]),
            "currency": pa.nulls(len(at)) if value is None else currency,
        }
        arrays = [columns.get(field.name, pa.nulls(len(at))).cast(field.type) for field in OUTCOME_SCHEMA]
        return pa.table(arrays, schema=OUTCOME_SCHEMA)


def uuids(random: np.random.Generator, time_ms: NDArray[np.int64]) -> pa.Array:
    """UUIDv7 of the times."""
    count = len(time_ms)
    high = (
        time_ms.astype(np.uint64) << np.uint64(16) | np.uint64(0x7000) | random.integers(0, 1 << 12, count, np.uint64)
    )
    low = random.integers(0, 1 << 62, count, np.uint64) | np.uint64(1 << 63)
    digits = np.stack([high, low], axis=1).astype(">u8").tobytes().hex()
    rows = (digits[at : at + 32] for at in range(0, 32 * count, 32))
    return pa.array([f"{one[:8]}-{one[8:12]}-{one[12:16]}-{one[16:20]}-{one[20:]}" for one in rows], pa.string())


def _offer_ids(game: SimulatedGame) -> list[str]:
    return [f"offer-{at}" for at in range(len(game.prices))]


def _constant(value: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _where(is_set: NDArray[np.bool_], values: pa.Array) -> pa.Array:
    """The values, null where they are not set."""
    return pc.if_else(pa.array(is_set), values, pa.scalar(None, pa.string()))


def _lists(items: pa.Array, is_set: NDArray[np.bool_]) -> pa.Array:
    """Lists of equal length, of which those that are not set are null."""
    each = len(items) // len(is_set)
    chosen = items.filter(pa.array(np.repeat(is_set, each)))
    offsets = np.concatenate([[0], np.cumsum(is_set * each)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), chosen, mask=pa.array(~is_set))
