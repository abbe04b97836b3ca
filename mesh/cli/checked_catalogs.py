"""Loads the catalog files of a command and checks them together with the files that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog import value_check
from mesh.catalog.catalog import Catalog, Draft
from mesh.catalog.faults import Fault, merge_shared
from mesh.catalog.golden_files import golden_faults
from mesh.catalog.reference_files import reference_faults
from mesh.errors import Misconfigured
from mesh.roots import Roots


@dataclass(frozen=True, slots=True)
class CheckedCatalog:
    """A catalog file with all its faults and warnings. `draft` is None if the file cannot be read."""

    file: Path
    draft: Draft | None
    faults: tuple[Fault | str, ...]
    warnings: tuple[Fault, ...] = ()

    @property
    def catalog(self) -> Catalog | None:
        """The catalog; None if the file has invalid values."""
        return self.draft.catalog if self.draft else None


def load_files(files: Sequence[Path]) -> list[Catalog]:
    """Returns the catalogs of `files`; raises Misconfigured with all faults of all files."""
    checked = check_files(files)
    faults = [str(fault) for one in checked for fault in merge_shared(one.faults)]
    if faults:
        raise Misconfigured(faults)
    return [one.catalog for one in checked if one.catalog is not None]


def check_files(
    files: Sequence[Path],
    *,
    values: bool = False,
    folder: Path | Roots | None = None,
    models_may_be_missing: bool = False,
) -> list[CheckedCatalog]:
    """Checks each file, and that no two files describe the same game.

    With `values`, it also warns about values that no model knows. Relative paths start at `folder`, or at the folder of
    the file. With `models_may_be_missing`, the workers have the models that this machine lacks.
    """
    checked = [_check_file(file, values, folder, models_may_be_missing) for file in files]
    first: dict[str, Path] = {}
    for position, one in enumerate(checked):
        game = one.catalog.game if one.catalog else None
        if game is not None and first.setdefault(game, one.file) is not one.file:
            clash = f"{one.file}: game: {game!r} is already the game of {first[game]}; give each file its own"
            checked[position] = replace(one, faults=(*one.faults, clash))
    return checked


def _check_file(file: Path, values: bool, folder: Path | Roots | None, models_may_be_missing: bool) -> CheckedCatalog:
    try:
        draft = catalogs.read(file, folder)
    except Misconfigured as error:
        return CheckedCatalog(file, None, tuple(error.faults))
    in_files = catalog_files.faults(draft, models_may_be_missing=models_may_be_missing)
    in_golden = golden_faults(draft, models_may_be_missing=models_may_be_missing)
    faults = sorted((*draft.faults, *in_files, *in_golden, *reference_faults(draft)), key=lambda fault: fault.line)
    return CheckedCatalog(file, draft, tuple(faults), tuple(value_check.warnings(draft)) if values else ())
