"""The offers of a game: a CSV file with IDs, prices and the offer features of the models."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesh.bounded_file import read_text
from mesh.errors import Misconfigured, unreadable
from mesh.ids import id_problem
from mesh.players.cells import CsvLine, is_price, kind_of_cells, number_of, read_csv

MAX_OFFERS = 10_000
MAX_COLUMNS = 5000
MAX_CSV_BYTES = 64 * 2**20
OFFER_ID, PRICE = "offer_id", "price"


@dataclass(frozen=True, slots=True)
class OffersTable:
    """Offers in file order. Every column except `offer_id` is a feature, including `price`.

    A missing number is NaN; a missing text is None. Booleans are the numbers 1 and 0. `spellings` has the cells of the
    number columns as they are written, for models that have texts such as "1" as categories.
    """

    ids: tuple[str, ...]
    positions: Mapping[str, int]
    prices: tuple[float, ...] | None
    numbers: Mapping[str, tuple[float, ...]]
    texts: Mapping[str, tuple[str | None, ...]]
    spellings: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)


def read_offers(path: Path) -> OffersTable:
    """Reads the CSV file at `path`; raises Misconfigured with all its faults."""
    try:
        text = read_text(path, MAX_CSV_BYTES, encoding="utf-8-sig", is_named_by_file=True)
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error, "check the path") from error
    return parse_offers(text, str(path))


def parse_offers(text: str, origin: str) -> OffersTable:
    """Parses the CSV `text`, which comes from `origin`; raises Misconfigured with all its faults.

    The rules for cells are those of `mesh features load`.
    """
    try:
        rows = read_csv(text)
        header, *lines = list(itertools.islice(rows, MAX_OFFERS + 1)) or [CsvLine(1, [])]
        count = len(lines) + sum(1 for _ in rows)
    except csv.Error as error:
        raise Misconfigured([f"{origin}: cannot be read: {error}; fix the CSV"]) from error
    names = [name or "" for name in header.cells]
    faults = _faults(origin, names, lines, count)
    if faults:
        raise Misconfigured(faults)
    columns = {name: tuple(line.cells[position] for line in lines) for position, name in enumerate(names)}
    ids = tuple(str(offer) for offer in columns.pop(OFFER_ID))
    texts = {name: cells for name, cells in columns.items() if kind_of_cells(cells) == "text"}
    spellings = {name: cells for name, cells in columns.items() if name not in texts}
    numbers = {name: tuple(map(number_of, cells)) for name, cells in spellings.items()}
    positions = {offer: position for position, offer in enumerate(ids)}
    return OffersTable(ids, positions, numbers.get(PRICE), numbers, texts, spellings)


def _faults(origin: str, header: Sequence[str], lines: Sequence[CsvLine], count: int) -> list[str]:
    if len(header) > MAX_COLUMNS:
        return [f"{origin}:1: has {len(header):,} columns; give at most {MAX_COLUMNS:,}"]
    if OFFER_ID not in header:
        return [f"{origin}:1: has no column {OFFER_ID}; add it to the header line"]
    faults = [f"{origin}:1: column {name!r} occurs twice; remove one" for name in set(header) if header.count(name) > 1]
    faults += [f"{origin}:1: column {n} has no name; add its name" for n, name in enumerate(header, 1) if not name]
    if not 1 <= count <= MAX_OFFERS:
        faults.append(f"{origin}: has {count} offers; give 1 to {MAX_OFFERS}")
    uneven = next((line for line in lines if len(line.cells) != len(header)), None)
    if uneven is not None:
        return [*faults, f"{origin}:{uneven.number}: does not have {len(header)} cells like the header; fix the line"]
    return [*faults, *_cell_faults(origin, header, lines)]


def _cell_faults(origin: str, header: Sequence[str], lines: Sequence[CsvLine]) -> Iterator[str]:
    first: dict[str, int] = {}
    ids = header.index(OFFER_ID)
    price = header.index(PRICE) if PRICE in header else None
    for line in lines:
        offer, place = line.cells[ids] or "", f"{origin}:{line.number}"
        if not offer or first.setdefault(offer, line.number) != line.number:
            yield f"{place}: {OFFER_ID} {offer!r} is empty or occurs twice; give each offer its own ID"
        elif (problem := id_problem(offer)) is not None:
            yield f"{place}: {OFFER_ID} {problem}"
        if price is not None and not is_price(line.cells[price]):
            yield f"{place}: price {line.cells[price]!r} is wrong; give a number of at least 0, or leave it empty"
