"""The rows that the models saw, built from a decision log: a logged shared row, and the features of the candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from mesh.decisions.side_files import Layout


def full_rows(
    layout: Layout,
    shared: NDArray[np.float64],
    counts: NDArray[np.int64],
    picks: NDArray[np.int64],
    offer_features: Mapping[str, NDArray[np.float64]],
    contexts: Sequence[AbstractSet[str]],
) -> NDArray[np.float64]:
    """Returns a row for each candidate [candidates, width] of several decisions.

    `shared` [decisions, width] are the logged rows. Decision `i` has `counts[i]` candidates; those of all decisions
    follow each other in `picks`, their positions in the table of offers. `offer_features` has a value of each offer by
    the name of the feature. `contexts` [decisions] are the names in the context of each request: the context wins over
    the table, also with a value that no model knows, which is NaN in the shared row. A log without contexts lacks only
    this last case.
    """
    rows = np.repeat(shared, counts, axis=0)
    for name in layout.offer_features:
        column = layout.features.index(name)
        values = offer_features[name][picks]
        if name in layout.context:
            is_named = np.array([name in context for context in contexts], bool)  # else a number shows that it was
            values = np.where(np.repeat(is_named, counts) | ~np.isnan(rows[:, column]), rows[:, column], values)
        rows[:, column] = values
    return rows
