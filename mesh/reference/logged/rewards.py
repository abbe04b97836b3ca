"""The rewards of logged decisions: whether the first offer was purchased, and the revenue, from the outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mesh.decisions.log import Log

PURCHASED = "purchased"


@dataclass(frozen=True, slots=True)
class Rewards:
    """`purchased` [decisions] is 1 or 0; `revenue` [decisions] is in `currency`, None if no purchase has a value.

    `others` counts the purchases in other currencies, which have no revenue here.
    """

    purchased: NDArray[np.float64]
    revenue: NDArray[np.float64]
    currency: str | None
    others: Mapping[str, int]


def purchases(log: Log, outcomes: duckdb.DuckDBPyRelation) -> pa.Table:
    """Returns the purchases among `outcomes`, which have a decision."""
    found = outcomes.filter(f"kind = '{PURCHASED}'").select("decision_id, offer, time, value, currency")
    return log.read(found)


def rewards(
    bought: pa.Table, decisions: Sequence[str], times: Sequence[datetime], shown: Sequence[str], within: timedelta
) -> Rewards:
    """Returns the rewards of `decisions` by the purchases `bought` of their first offer, `shown`, in time.

    A purchase of another offer of the answer does not count: the probabilities of the other places are not known.
    """
    place = {decision: at for at, decision in enumerate(decisions)}
    purchased, revenue = np.zeros(len(place)), np.zeros(len(place))
    counted = []
    for row in bought.to_pylist():
        at = place.get(row["decision_id"])
        if at is not None and row["offer"] in (None, shown[at]) and row["time"] < times[at] + within:
            purchased[at] = 1.0
            counted.append((at, row["currency"], row["value"]))
    currencies = Counter(currency for _, currency, value in counted if currency is not None and value is not None)
    currency = min(currencies, key=lambda name: (-currencies[name], name), default=None)
    for at, name, value in counted:
        if name == currency and value is not None and np.isfinite(value):
            revenue[at] += value
    return Rewards(
        purchased, revenue, currency, {name: count for name, count in currencies.items() if name != currency}
    )
