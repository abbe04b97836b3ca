"""What the shop of dragonfall sells, as columns, read from `offers.csv`."""

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

Column = npt.NDArray[Any]  # float64, NaN where a value is missing; or str, "" where it is


@dataclass(frozen=True, slots=True)
class Offers:
    """The offers in file order; every column has one entry an offer."""

    ids: tuple[str, ...]
    columns: Mapping[str, Column]

    @property
    def prices(self) -> Column:
        """In dollars."""
        return self.columns["price"]

    def index(self, offer_id: str) -> int:
        """The row of `offer_id`; ValueError when the shop does not sell it."""
        return self.ids.index(offer_id)


def read_offers(path: Path = OFFERS_CSV) -> Offers:
    """Reads the shop; the first column is the offer's id, the others are model features."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "offer_id"]
    columns = {name: _column(name, [row[name] for row in rows]) for name in names}
    return Offers(tuple(row["offer_id"] for row in rows), columns)


def _column(name: str, cells: list[str]) -> Column:
    return np.array(cells) if name in TEXT_COLUMNS else np.array(cells, dtype=np.float64)
