"""Logged decisions as arrays: the rows that the models saw, the votes and the scores, by ensemble."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mesh.decisions.side_files import Ensemble, OfferValues, SideFiles
from mesh.errors import Misconfigured

COLUMNS = (
    "decision_id", "time", "method", "player", "version", "pinned", "ensemble", "context", "limit", "candidates",
    "scores", "revenues", "votes", "rows", "offers", "score", "explored", "propensity", "source", "reason",
    "missing_models", "unseen_inputs",
)  # fmt: skip
NO_FEATURES = "its features are not in the log"
EXCLUDED = "features are excluded from the log"
NO_ENSEMBLE = "no models were asked"


@dataclass(frozen=True, slots=True)
class Requests:
    """The inputs of several decisions, all of one ensemble.

    Decision `i` has `counts[i]` candidates; those of all decisions follow each other. `picks` [candidates] are their
    positions in `offers`. `shared` has the logged rows [decisions, width] of each layout. `contexts` [decisions] are
    the names in the context of each request.
    """

    counts: NDArray[np.int64]
    picks: NDArray[np.int64]
    offers: OfferValues | None
    shared: Mapping[str, NDArray[np.float64]]
    contexts: Sequence[frozenset[str]]

    @property
    def bounds(self) -> NDArray[np.int64]:
        """The first candidate of each decision, then the number of candidates [decisions + 1]."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    @property
    def prices(self) -> NDArray[np.float64] | None:
        """The price of each candidate [candidates], NaN without one; None in a game without prices."""
        return None if self.offers is None or self.offers.prices is None else self.offers.prices[self.picks]


@dataclass(frozen=True, slots=True)
class LoggedDecisions:
    """Decisions of one ensemble that can be scored again, and what the log has of them.

    `table` has the columns of `COLUMNS`. `scores` [candidates]. `votes` [candidates, models] is NaN where the log has
    no vote; `has_vote` [candidates]: whether the log has the votes for the candidate. `missing` [decisions] are the
    models without a vote.
    """

    ensemble: Ensemble
    table: pa.Table
    requests: Requests
    scores: NDArray[np.float64]
    votes: NDArray[np.float64]
    has_vote: NDArray[np.bool_]
    missing: Sequence[frozenset[str]]


def by_ensemble(files: SideFiles, table: pa.Table, skipped: Counter[str]) -> Iterator[LoggedDecisions]:
    """Yields the decisions of `table` that can be scored again, and counts the reasons of the others in `skipped`."""
    is_fallback = pc.or_(pc.is_null(table["source"]), pc.equal(table["source"], "FALLBACK"))
    for word in table.filter(is_fallback)["reason"].to_pylist():
        skipped[f"fallback: {word or 'no reason'}"] += 1
    table = _without(table.filter(pc.invert(is_fallback)), "ensemble", NO_ENSEMBLE, skipped)
    table = _without(_without(table, "scores", "no scores", skipped), "rows", NO_FEATURES, skipped)
    for name in pc.unique(table["ensemble"]).to_pylist():
        ensemble = files.ensemble(name)
        chosen = table.filter(pc.equal(table["ensemble"], name)).combine_chunks()
        if not ensemble.excluded.isdisjoint(_features(files, ensemble)):
            skipped[EXCLUDED] += len(chosen)
            continue
        is_whole = _has_rows(files, ensemble, chosen)
        skipped[NO_FEATURES] += int(np.count_nonzero(~is_whole))
        if is_whole.any():
            yield decisions_of(files, ensemble, chosen if is_whole.all() else chosen.filter(pa.array(is_whole)))
    for reason in [reason for reason, count in skipped.items() if not count]:
        del skipped[reason]


def _features(files: SideFiles, ensemble: Ensemble) -> set[str]:
    return {feature for name in ensemble.layouts for feature in files.layout(name).features}


def _without(table: pa.Table, column: str, reason: str, skipped: Counter[str]) -> pa.Table:
    """Leaves out the rows without a value in `column`."""
    skipped[reason] += table[column].null_count
    return table.filter(pc.is_valid(table[column]))


def decisions_of(files: SideFiles, ensemble: Ensemble, table: pa.Table) -> LoggedDecisions:
    """Returns decisions of one ensemble that all have scores and whole rows. Raises Misconfigured for a damaged log."""
    scores = _array(table, "scores")
    counts = pc.list_value_length(scores).to_numpy().astype(np.int64)
    offers = None if ensemble.offers is None else files.offers(ensemble.offers)
    picks = np.zeros(int(counts.sum()), np.int64) if offers is None else _picks(table, offers)
    if len(picks) != counts.sum():
        raise Misconfigured(["the log is damaged: a decision has more candidates than scores, or fewer"])
    votes, has_vote = _votes(table, counts, len(ensemble.models))
    return LoggedDecisions(
        ensemble=ensemble,
        table=table,
        requests=Requests(counts, picks, offers, _shared(files, ensemble, table), _contexts(table)),
        scores=_numbers(scores.flatten()),
        votes=votes,
        has_vote=has_vote,
        missing=[frozenset(names or ()) for names in table["missing_models"].to_pylist()],
    )


def _picks(table: pa.Table, offers: OfferValues) -> NDArray[np.int64]:
    ids = _array(table, "candidates").flatten()
    picks = pc.index_in(ids, value_set=pa.array(offers.ids, ids.type))
    if picks.null_count:
        unknown = ids.filter(pc.is_null(picks))[0].as_py()
        raise Misconfigured([f"the log is damaged: the candidate {unknown!r} is not in its table of offers"])
    return np.asarray(picks.to_numpy(zero_copy_only=False), np.int64)


def _votes(table: pa.Table, counts: NDArray[np.int64], models: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    logged = _array(table, "votes")
    has_list = np.repeat(logged.is_valid().to_numpy(zero_copy_only=False), counts)
    votes = np.full((len(has_list), models), np.nan)
    votes[has_list] = _numbers(logged.flatten()).reshape(-1, models)
    return votes, has_list & ~np.isnan(votes).all(axis=1)


def _entries(table: pa.Table) -> tuple[pa.Array, pa.Array, pa.Array]:
    """The decision, the layout and the values of each logged row."""
    rows = _array(table, "rows")
    entries = rows.flatten()
    return pc.list_parent_indices(rows), pc.struct_field(entries, "layout"), pc.struct_field(entries, "values")


def _has_rows(files: SideFiles, ensemble: Ensemble, table: pa.Table) -> NDArray[np.bool_]:
    """Whether a decision has a whole row of each layout [decisions]."""
    owners, layouts, values = _entries(table)
    is_whole = np.ones(len(table), bool)
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    for name in ensemble.layouts:
        found = pc.and_(pc.equal(layouts, name), pc.equal(lengths, len(files.layout(name).features)))
        has_row = np.zeros(len(table), bool)
        has_row[owners.filter(found).to_numpy()] = True
        is_whole &= has_row
    return is_whole


def _shared(files: SideFiles, ensemble: Ensemble, table: pa.Table) -> dict[str, NDArray[np.float64]]:
    owners, layouts, values = _entries(table)
    shared = {}
    for name in ensemble.layouts:
        chosen = pc.equal(layouts, name)
        rows = np.empty((len(table), len(files.layout(name).features)))
        rows[owners.filter(chosen).to_numpy()] = _numbers(values.filter(chosen).flatten()).reshape(-1, rows.shape[1])
        shared[name] = rows
    return shared


def _contexts(table: pa.Table) -> list[frozenset[str]]:
    known: dict[str | None, frozenset[str]] = {None: frozenset()}
    names = []
    for text in table["context"].to_pylist():
        found = known.get(text)
        names.append(frozenset(json.loads(text)) if found is None else found)
    return names


def _array(table: pa.Table, column: str) -> pa.ListArray:
    chunked = table[column].combine_chunks()
    return chunked.combine_chunks() if isinstance(chunked, pa.ChunkedArray) else chunked


def _numbers(values: pa.Array) -> NDArray[np.float64]:
    """The numbers; null is NaN."""
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
