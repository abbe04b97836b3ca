"""`mesh catalog check` and `mesh catalog schema`; and the catalogs of a command, checked in full."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.faults import Fault, show_path
from mesh.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Checked:
    """A catalog file: its game, unless it cannot be read, and everything that is wrong with it."""

    file: Path
    catalog: Catalog | None
    faults: tuple[Fault | str, ...]


def check(arguments: argparse.Namespace) -> int:
    """Prints what is in the files, or every fault of all of them; exit code 2 if there is one."""
    checked = check_files(arguments.files)
    faulty = any(one.faults for one in checked)
    if arguments.json:
        print(json.dumps([_as_json(one) for one in checked]))
    for one in () if arguments.json else checked:
        _print(one)
    return 2 if faulty else 0


def schema(_: argparse.Namespace) -> int:
    """Prints the JSON Schema of a catalog."""
    print(json.dumps(catalogs.schema(), indent=2))
    return 0


def load_files(files: Sequence[Path]) -> list[Catalog]:
    """The catalogs of `files`; raises Misconfigured with every fault of them and of the files they name."""
    checked = check_files(files)
    faults = [str(fault) for one in checked for fault in one.faults]
    if faults:
        raise Misconfigured(faults)
    return [one.catalog for one in checked if one.catalog is not None]


def check_files(files: Sequence[Path]) -> list[Checked]:
    """Checks every file, and that no two of them are about the same game."""
    checked = [_check_file(file) for file in files]
    first: dict[str, Path] = {}
    for position, one in enumerate(checked):
        game = one.catalog.game if one.catalog else None
        if game is not None and first.setdefault(game, one.file) is not one.file:
            clash = f"{one.file}: game: {game!r} is already the game of {first[game]}; give each file its own"
            checked[position] = Checked(one.file, one.catalog, (*one.faults, clash))
    return checked


def _check_file(file: Path) -> Checked:
    try:
        draft = catalogs.read(file)
    except Misconfigured as error:
        return Checked(file, None, tuple(error.faults))
    faults = sorted((*draft.faults, *catalog_files.faults(draft)), key=lambda fault: fault.line)
    return Checked(file, draft.catalog, tuple(faults))


def _print(checked: Checked) -> None:
    for fault in checked.faults:
        print(fault, file=sys.stderr)
    if checked.catalog is not None and not checked.faults:
        print("\n".join(_describe(checked.file, checked.catalog)))


def _describe(file: Path, catalog: Catalog) -> Iterator[str]:
    yield f"{file}: game {catalog.game}, answers in {catalog.budget_ms:g} ms"
    for name, version in catalog.versions.items():
        yield (
            f"  version {name}: {version.traffic:g} % of the players, {len(version.models)} models, "
            f"{version.combine.kind} of at least {version.quorum} votes"
        )


def _as_json(checked: Checked) -> dict[str, Any]:
    game = checked.catalog.game if checked.catalog else None
    faults = [_fault_as_json(fault) for fault in checked.faults]
    return {"file": str(checked.file), "game": game, "ok": not faults, "faults": faults}


def _fault_as_json(fault: Fault | str) -> dict[str, Any]:
    if isinstance(fault, str):
        return {"text": fault}
    parts = {"line": fault.line, "path": show_path(fault.at), "problem": fault.problem, "mend": fault.mend}
    return {"text": str(fault), **parts}
