"""What another version would have shown: its scores and its best offer for logged decisions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mesh.decisions.side_files import SideFiles
from mesh.reference.logged.draws import LoggedPolicy
from mesh.reference.logged.recoding import Recoding
from mesh.reference.logged.requests import LoggedDecisions, Requests, by_ensemble, decisions_of
from mesh.reference.logged.scoring import Forests, combined
from mesh.reference.logged.target import Target

SCORE, PINNED, NO_PROPENSITY = "the method is Score", "the caller named the version", "the log has no propensity"
NO_VOTES = "the log does not have the votes by which the offer was drawn (`decisions.votes`)"
UNKNOWN_VALUE = "a value that the logged models did not know, but the other version may know"


@dataclass(slots=True)
class Choices:
    """Columns of decisions: what was shown, what the logged and the other version rank first, and their scores.

    `is_possible`: the logged version could have shown the `target`. `target_value` is what ranks the offers of the
    other version: the score or the expected revenue of the target; `shown_value` that of the shown offer, also by the
    other version. `changes` are the differences of the scores of all candidates: the other version less the log.
    """

    decision: list[str] = field(default_factory=list)
    time: list[datetime] = field(default_factory=list)
    player: list[str | None] = field(default_factory=list)
    version: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    best: list[str] = field(default_factory=list)
    target: list[str] = field(default_factory=list)
    propensity: list[float] = field(default_factory=list)
    is_possible: list[bool] = field(default_factory=list)
    shown_score: list[float] = field(default_factory=list)
    target_score: list[float] = field(default_factory=list)
    shown_revenue: list[float] = field(default_factory=list)
    target_revenue: list[float] = field(default_factory=list)
    changes: list[NDArray[np.float64]] = field(default_factory=list)


class WhatIf:
    """Asks `target` about logged decisions of one game."""

    def __init__(self, files: SideFiles, target: Target) -> None:
        self._files = files
        self._target = target
        self._forests = Forests(target.files)
        self._recodings: dict[tuple[str, ...], Recoding] = {}
        self._contexts: set[str] = set()
        self.choices = Choices()
        self.skipped: Counter[str] = Counter()

    def add(self, table: pa.Table) -> None:
        """Adds the decisions of `table`, which has the columns of `COLUMNS`. Raises Misconfigured.

        Leaves out Score, players whose caller named the version, and fallbacks, also those of the holdout.
        """
        table = self._without(table, pc.equal(table["method"], "Score"), SCORE)
        table = self._without(table, pc.fill_null(table["pinned"], False), PINNED)
        for decisions in by_ensemble(self._files, table, self.skipped):
            known = self._with_known_chances(decisions)
            if known is not None:
                self._add(known)

    def unseen_context(self) -> list[str]:
        """Returns the features whose only source is the context, but which no request had."""
        layouts = self._target.layouts.values()
        only = {name for layout in layouts for name in layout.context - {*layout.offer_features}}
        logged = {name for recoding in self._recodings.values() for name in recoding.features}
        return sorted(only - logged - self._contexts)

    def _without(self, table: pa.Table, is_out: pa.ChunkedArray, reason: str) -> pa.Table:
        kept = table.filter(pc.invert(is_out))
        if len(kept) < len(table):
            self.skipped[reason] += len(table) - len(kept)
        return kept

    def _with_known_chances(self, decisions: LoggedDecisions) -> LoggedDecisions | None:
        """Leaves out decisions whose chances depend on votes that are not logged: whether an offer was possible."""
        ensemble, has_vote = decisions.ensemble, decisions.has_vote
        if has_vote.all() or (ensemble.explore or {}).get("kind") != "thompson_votes":
            return decisions
        lacks = ~np.logical_and.reduceat(has_vote, decisions.requests.bounds[:-1])
        table = self._without(decisions.table, pa.chunked_array([pa.array(lacks)]), NO_VOTES)
        return decisions_of(self._files, ensemble, table) if len(table) else None

    def _add(self, decisions: LoggedDecisions) -> None:
        recoding = self._recoding(decisions.ensemble.layouts)
        is_known = pa.chunked_array([pa.array(recoding.known(decisions.table["unseen_inputs"].to_pylist()))])
        table = self._without(decisions.table, pc.invert(is_known), UNKNOWN_VALUE)
        table = self._without(table, pc.is_null(table["propensity"]), NO_PROPENSITY)
        if not len(table):
            return
        if len(table) < len(decisions.table):
            decisions = decisions_of(self._files, decisions.ensemble, table)
        contexts = [json.loads(text) if text else {} for text in table["context"].to_pylist()]
        self._contexts.update(name for context in contexts for name in context)
        self._choose(decisions, recoding.requests(decisions.requests, contexts))

    def _recoding(self, layouts: tuple[str, ...]) -> Recoding:
        if layouts not in self._recodings:
            self._recodings[layouts] = Recoding(self._target, {name: self._files.layout(name) for name in layouts})
        return self._recodings[layouts]

    def _choose(self, decisions: LoggedDecisions, requests: Requests) -> None:
        ensemble, table = self._target.ensemble, decisions.table
        votes = self._forests.votes(ensemble.models, self._target.layouts, requests)
        scores = combined(ensemble, votes, requests.bounds, [frozenset()] * len(table))
        prices = requests.prices
        revenues = scores * prices if prices is not None else np.full(len(scores), np.nan)
        keys = scores if ensemble.rank_by != "expected_revenue" else np.where(np.isnan(revenues), -np.inf, revenues)
        policy, found = LoggedPolicy(decisions), self.choices
        found.changes.append(scores - decisions.scores)
        columns = _columns(table, ("decision_id", "time", "player", "version", "candidates", "offers", "propensity"))
        for at, row in enumerate(columns):
            first, last = int(requests.bounds[at]), int(requests.bounds[at + 1])
            candidates = row["candidates"]
            chances = policy.propensities(at)
            target, shown = int(keys[first:last].argmax()), candidates.index(row["offers"][0])
            found.decision.append(row["decision_id"])
            found.time.append(row["time"])
            found.player.append(row["player"])
            found.version.append(row["version"])
            found.shown.append(candidates[shown])
            found.best.append(candidates[policy.best(at)])
            found.target.append(candidates[target])
            found.propensity.append(row["propensity"])
            found.is_possible.append(target == shown or chances.get(target, 0.0) > 0.0)
            found.shown_score.append(float(scores[first + shown]))
            found.target_score.append(float(scores[first + target]))
            found.shown_revenue.append(float(revenues[first + shown]))
            found.target_revenue.append(float(revenues[first + target]))


def _columns(table: pa.Table, names: Sequence[str]) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = table.select(list(names)).to_pylist()
    return rows
