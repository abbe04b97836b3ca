"""Reads the offers of the shop from `offers.csv` as columns."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

OFFERS_CSV = Path(__file__).parent / "offers.csv"
FALLBACK = "starter-pack"
TEXT_COLUMNS = frozenset({"kind"})

Column = npt.NDArray[Any]  # float64 with NaN for a missing value, or str with "" for a missing value


@dataclass(frozen=True, slots=True)
class Offers:
    """The offers in file order; every column has one entry per offer."""

    ids: tuple[str, ...]
    columns: Mapping[str, Column]

    @property
    def prices(self) -> Column:
        """The prices in dollars."""
        return self.columns["price"]

    def index(self, offer_id: str) -> int:
        """Returns the row of `offer_id`; raises ValueError if the shop does not sell it."""
        return self.ids.index(offer_id)


def read_offers(path: Path = OFFERS_CSV) -> Offers:
    """Reads the offers. The first column is the offer's id, the others are model features."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "offer_id"]
    columns = {name: _column(name, [row[name] for row in rows]) for name in names}
    return Offers(tuple(row["offer_id"] for row in rows), columns)


def _column(name: str, cells: list[str]) -> Column:
    return np.array(cells) if name in TEXT_COLUMNS else np.array(cells, dtype=np.float64)
