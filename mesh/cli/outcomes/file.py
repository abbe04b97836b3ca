"""Reads a file of outcomes: CSV with a header, or a JSON object on each line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mesh.cli.outcomes.report import FIELDS, WrongField, report_of
from mesh.errors import Misconfigured, unreadable
from mesh.wire import offers_pb2 as wire


class Line(NamedTuple):
    """An outcome in a file: its place for people, and its report, or the fault of the line."""

    place: str
    report: wire.ReportOutcomeRequest | None
    fault: str = ""


def count_lines(path: Path) -> int:
    """Returns the number of lines of a file. Raises Misconfigured."""
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except OSError as error:
        raise unreadable(path, error, "correct --file") from error


def read_lines(path: Path, game: str) -> Iterator[Line]:
    """Yields the outcomes of a file. Raises Misconfigured if the file cannot be read at all."""
    if path.suffix.lower() not in (".csv", ".jsonl", ".ndjson", ".json"):
        raise Misconfigured([f"{path}: is not a .csv or .jsonl file; correct --file"])
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _json_rows(path)
    try:
        for number, fields in rows:
            yield _line(f"{path}:{number}", fields, game)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, error, "correct --file") from error


def _line(place: str, fields: Mapping[str, Any] | str, game: str) -> Line:
    if isinstance(fields, str):
        return Line(place, None, fields)
    try:
        return Line(place, report_of(fields, game))
    except WrongField as error:
        return Line(place, None, str(error))


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file, restval="")
        unknown = [name for name in rows.fieldnames or () if name not in FIELDS]
        if unknown or not rows.fieldnames:
            fault = f"has the column {unknown[0]!r}" if unknown else "has no header"
            raise Misconfigured([f"{path}: {fault}; the first line names columns of: {', '.join(FIELDS)}"])
        for row in rows:
            extra = row.pop(None, None)  # DictReader's key of further cells
            yield rows.line_num, "has more cells than the header; quote texts with commas" if extra else row


def _json_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                yield number, f"is not JSON: {error}; write one object on each line"
                continue
            yield number, fields if isinstance(fields, dict) else "is not a JSON object; write one object on each line"
