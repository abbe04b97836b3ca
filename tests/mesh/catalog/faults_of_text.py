"""The faults of a catalog that a test writes."""

from __future__ import annotations

from pathlib import Path

from mesh.catalog import catalog


def faults(file: Path, text: str) -> list[str]:
    """Writes `text` to `file`; returns its faults, without the file's name: `LINE: PATH: PROBLEM; FIX`."""
    file.write_text(text)
    return [str(fault).removeprefix(f"{file}:") for fault in catalog.read(file).faults]
