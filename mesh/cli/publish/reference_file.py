"""The reference beside the models of a version: makes it from rows of the training, and checks one that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.cli.drift.make import reference_of, summary, write
from mesh.cli.drift.training_table import TrainingTable
from mesh.cli.publish.version_folder import ModelFile
from mesh.drift.reference import NAME, BadReference, decode
from mesh.errors import Misconfigured
from mesh.reference.training import TrainedModel
from mesh.sha256 import sha256_of


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """The file with the reference, and a summary of it."""

    path: Path
    sha256: str
    size_bytes: int
    summary: str


def make(models: Sequence[ModelFile], rows: Path, folder: Path) -> None:
    """Writes the reference of all `models` into `folder`; raises Misconfigured if the rows do not fit them."""
    table = TrainingTable(rows)
    trained = [
        # Only the catalog knows the class of a multiclass model.
        TrainedModel(one.name, one.path, one.sha256, table.header_of(one.header), _class_of(one))
        for one in models
    ]
    write(reference_of(trained, table, ()), folder / NAME)


def read(models: Sequence[ModelFile], folder: Path) -> ReferenceFile | None:
    """Returns the reference in `folder`, None if there is none.

    Raises Misconfigured if it is damaged or was made with another file of a model.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        reference = decode(path.read_bytes())
    except BadReference as error:
        raise Misconfigured([f"{path} {error}, or remove the file"]) from error
    others = [one.name for one in models if reference.models.get(one.name, one.sha256) != one.sha256]
    if others:
        problem = f"{path} was made with other files of {', '.join(others)}"
        raise Misconfigured([f"{problem}; make it again with --reference ROWS, or remove the file"])
    return ReferenceFile(path, sha256_of(path), path.stat().st_size, summary(reference))


def _class_of(model: ModelFile) -> int | None:
    return 0 if model.header.classes == 1 else None
