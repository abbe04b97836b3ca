"""The offers of a game: a CSV file with IDs, prices and the offer features of the models."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.errors import Misconfigured

MAX_OFFERS = 10_000


@dataclass(frozen=True, slots=True)
class OffersTable:
    """Offers in file order. Every column except `offer_id` is a feature, including `price`.

    A missing number is NaN; a missing text is None.
    """

    ids: tuple[str, ...]
    positions: Mapping[str, int]
    prices: tuple[float, ...] | None
    numbers: Mapping[str, tuple[float, ...]]
    texts: Mapping[str, tuple[str | None, ...]]


def read_offers(path: Path) -> OffersTable:
    """Reads the CSV file at `path`; raises Misconfigured with all its faults."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured([f"{path}: cannot be read: {error}; check the path"]) from error
    return parse_offers(text, str(path))


def parse_offers(text: str, origin: str) -> OffersTable:
    """Parses the CSV `text`, which comes from `origin`; raises Misconfigured with all its faults."""
    try:
        header, *lines = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    except csv.Error as error:
        raise Misconfigured([f"{origin}: cannot be read: {error}; fix the CSV"]) from error
    faults = _faults(origin, header, lines)
    if faults:
        raise Misconfigured(faults)
    columns = {name: [line[position] for line in lines] for position, name in enumerate(header)}
    ids = tuple(columns.pop("offer_id"))
    numbers = {name: _numbers(cells) for name, cells in columns.items() if _is_numeric(cells)}
    texts = {name: tuple(cell or None for cell in cells) for name, cells in columns.items() if name not in numbers}
    return OffersTable(
        ids, {offer: position for position, offer in enumerate(ids)}, numbers.get("price"), numbers, texts
    )


def _faults(origin: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    if "offer_id" not in header:
        return [f"{origin}:1: has no column offer_id; add it to the header line"]
    faults = [f"{origin}:1: column {name!r} occurs twice; remove one" for name in set(header) if header.count(name) > 1]
    if not lines or len(lines) > MAX_OFFERS:
        faults.append(f"{origin}: has {len(lines)} offers; give 1 to {MAX_OFFERS}")
    if any(len(line) != len(header) for line in lines):
        number = next(n for n, line in enumerate(lines, 2) if len(line) != len(header))
        return [*faults, f"{origin}:{number}: does not have {len(header)} cells like the header; fix the line"]
    return faults + _cell_faults(origin, header, lines)


def _cell_faults(origin: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    faults, first = [], dict[str, int]()
    ids = header.index("offer_id")
    price = header.index("price") if "price" in header else None
    for number, line in enumerate(lines, 2):
        if not line[ids] or first.setdefault(line[ids], number) != number:
            faults.append(
                f"{origin}:{number}: offer_id {line[ids]!r} is empty or occurs twice; give each offer its own ID"
            )
        if price is not None and not _is_price(line[price]):
            faults.append(
                f"{origin}:{number}: price {line[price]!r} is wrong; give a number of at least 0, or leave it empty"
            )
    return faults


def _is_price(cell: str) -> bool:
    value = _number(cell)
    return value is not None and (math.isnan(value) if cell == "" else math.isfinite(value) and value >= 0)


def _is_numeric(cells: Sequence[str]) -> bool:
    return all(_number(cell) is not None for cell in cells)


def _numbers(cells: Sequence[str]) -> tuple[float, ...]:
    return tuple(math.nan if cell == "" else float(cell) for cell in cells)


def _number(cell: str) -> float | None:
    try:
        return float(cell) if cell else math.nan
    except ValueError:
        return None
