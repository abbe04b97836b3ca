"""One candidate of a logged decision: its rows, its votes, and the values as a person knows them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mesh.category_lists import Category
from mesh.decisions.schema import DECISION_SCHEMA
from mesh.decisions.side_files import Ensemble, Layout, SideFiles
from mesh.reference.explanation import MISSING, UNKNOWN, UNREAD, Input
from mesh.reference.logged.requests import COLUMNS, LoggedDecisions, by_ensemble
from mesh.reference.logged.rows import full_rows

Rows = Mapping[str, Sequence[float]]  # by the name of the layout


def scored_decision(files: SideFiles, decision: Mapping[str, Any]) -> LoggedDecisions | str:
    """Returns a row of the table of decisions as arrays, or the reason why it cannot be scored again."""
    row = {name: decision[name] for name in DECISION_SCHEMA.names}
    skipped: Counter[str] = Counter()
    table = pa.Table.from_pylist([row], schema=DECISION_SCHEMA).select(COLUMNS)
    found = next(by_ensemble(files, table, skipped), None)
    return next(iter(skipped)) if found is None else found


def rows_of(
    files: SideFiles, ensemble: Ensemble, decision: Mapping[str, Any], offer: str | None
) -> dict[str, list[float]]:
    """Returns the row of a candidate in each layout; of a game without offers if `offer` is None.

    Without features in the log, it returns no rows.
    """
    offers = None if ensemble.offers is None else files.offers(ensemble.offers)
    one, contexts = np.ones(1, np.int64), [context_of(decision).keys()]
    rows = {}
    for entry in decision["rows"] or ():
        layout = files.layout(entry["layout"])
        row = np.array([[math.nan if value is None else value for value in entry["values"]]], np.float64)
        if offers is not None and offer is not None:
            picks = np.array([offers.ids.index(offer)], np.int64)
            row = full_rows(layout, row, one, picks, offers.features.get(entry["layout"], {}), contexts)
        rows[entry["layout"]] = row[0].tolist()
    return rows


def votes_of(decisions: LoggedDecisions, place: int) -> list[float | None] | None:
    """Returns the logged votes for the candidate at `place`; None if the log does not have them."""
    if not decisions.has_vote[place]:
        return None
    return [None if math.isnan(vote) else vote for vote in decisions.votes[place].tolist()]


def context_of(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the context of the request by name."""
    found: dict[str, Any] = json.loads(decision["context"] or "{}")
    return found


def inputs_of(files: SideFiles, rows: Rows, decision: Mapping[str, Any]) -> dict[str, Input]:
    """Returns the inputs of a row by the name of the feature; a category is its text."""
    context, missing = context_of(decision), set(decision["missing_inputs"] or ())
    unseen = set(decision["unseen_inputs"] or ())
    inputs: dict[str, Input] = {}
    for name, cell, categories in _cells(files, rows):
        value = _decoded(cell, categories)
        if value is not None:
            inputs[name] = Input(value)
        elif name in context and context[name] is not None:
            inputs.setdefault(name, Input(context[name], UNKNOWN))
        elif name in unseen:
            inputs.setdefault(name, Input(None, UNKNOWN))
        else:
            inputs.setdefault(name, Input(None, MISSING if categories is None or name in missing else UNREAD))
    return inputs


def sources_of(files: SideFiles, layouts: Sequence[str], decision: Mapping[str, Any]) -> dict[str, str]:
    """Returns `context`, `offer` or `store` for each feature: where its value came from."""
    context, sources = context_of(decision), dict[str, str]()
    for layout in map(files.layout, layouts):
        for name in layout.features:
            sources[name] = "offer" if name in layout.offer_features else "store"
            if name in layout.context and (name in context or name not in layout.offer_features):
                sources[name] = "context"
    return sources


def _cells(files: SideFiles, rows: Rows) -> Iterator[tuple[str, float, Sequence[Category] | None]]:
    for name, row in rows.items():
        layout: Layout = files.layout(name)
        for feature, cell in zip(layout.features, row, strict=True):
            yield feature, cell, layout.categories.get(feature)


def _decoded(cell: float, categories: Sequence[Category] | None) -> Category | None:
    """The value of a cell; None if it is missing, or not one of the categories."""
    if math.isnan(cell):
        return None
    if categories is None:
        return cell
    return categories[int(cell)] if cell.is_integer() and 0 <= cell < len(categories) else None
