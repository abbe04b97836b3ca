"""The files of golden rows beside the models of a version: makes them, and checks those that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog import catalog as catalogs
from mesh.cli.publish.golden_table import GoldenTable
from mesh.cli.publish.version_folder import ModelFile
from mesh.cli.stored_players import player_ids, players_of
from mesh.errors import Misconfigured
from mesh.golden import SUFFIX, BadGolden, Golden, check_model, decode, encode
from mesh.reference.golden_rows import ModelText, of_given, of_players
from mesh.sha256 import sha256_of


@dataclass(frozen=True, slots=True)
class GoldenOptions:
    """The source of new golden rows: `path`, or that many `players` of the store of `catalog`; neither: no new rows.

    `path` is a Parquet file for all models, or a folder with a Parquet file for each model.
    """

    path: Path | None = None
    players: int | None = None
    catalog: Path | None = None
    tolerance: float = 0.0

    @property
    def is_set(self) -> bool:
        """Whether new golden rows are wanted."""
        return self.path is not None or self.players is not None


@dataclass(frozen=True, slots=True)
class GoldenFile:
    """A file of golden rows beside a model file."""

    path: Path
    sha256: str
    size_bytes: int
    rows: int


def path_beside(model: Path) -> Path:
    """Returns the place of the golden rows of a model file."""
    return model.with_name(f"{model.stem}{SUFFIX}")


def write(models: Sequence[ModelFile], options: GoldenOptions) -> None:
    """Writes a file of golden rows beside each model; raises Misconfigured with all faults, and then writes none."""
    found, faults = [], []
    for model, rows in _rows(models, options):
        if isinstance(rows, Misconfigured):
            faults += rows.faults
        else:
            found.append((path_beside(model.path), encode(rows)))
    if faults:
        raise Misconfigured(faults)
    for path, content in found:
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_bytes(content)
        fresh.replace(path)


def read(models: Sequence[ModelFile]) -> dict[str, GoldenFile]:
    """Returns the golden rows that are beside the models, by the models' names.

    Raises Misconfigured with all that are damaged or belong to another model file.
    """
    found, faults = {}, []
    for model in models:
        path = path_beside(model.path)
        if path.is_file():
            try:
                golden = decode(path.read_bytes())
                check_model(golden, model.sha256, model.header.feature_names, model.header.classes)
                found[model.name] = GoldenFile(path, sha256_of(path), path.stat().st_size, len(golden.rows))
            except BadGolden as error:
                faults.append(f"{path}: {error}, or remove the file")
    if faults:
        raise Misconfigured(faults)
    return found


def _rows(models: Sequence[ModelFile], options: GoldenOptions) -> Iterator[tuple[ModelFile, Golden | Misconfigured]]:
    make = _from_players(options) if options.path is None else _from_files(options, is_only=len(models) == 1)
    for model in models:
        try:
            yield model, make(model)
        except Misconfigured as error:
            yield model, error


def _from_files(options: GoldenOptions, *, is_only: bool) -> Callable[[ModelFile], Golden]:
    """Reads the rows of all models from one file, or of each model from the file with its name in the folder."""
    assert options.path is not None
    folder = options.path if options.path.is_dir() else None
    shared = None if folder else GoldenTable(options.path)

    def make(model: ModelFile) -> Golden:
        table = shared or GoldenTable((folder or model.path.parent) / f"{model.path.stem}.parquet")
        header = table.header_of(model.header)
        given = table.rows_of(model.name, header, is_only=is_only or shared is None)
        return of_given(ModelText(model.path, model.sha256, header), given, options.tolerance, str(table.path))

    return make


def _from_players(options: GoldenOptions) -> Callable[[ModelFile], Golden]:
    assert options.catalog is not None
    catalog = catalogs.load(options.catalog)
    players = players_of(catalog)
    ids = player_ids(catalog, options.players or 1, None)

    def make(model: ModelFile) -> Golden:
        text = ModelText(model.path, model.sha256, model.header)
        return of_players(text, catalog, players, ids, options.tolerance)

    return make
