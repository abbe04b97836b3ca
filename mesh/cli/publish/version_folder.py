"""The models of a version on disk: the LightGBM text files of one folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.members import DNS_LABEL
from mesh.errors import Misconfigured
from mesh.model_file import BadModel, ModelHeader, read_header
from mesh.sha256 import sha256_of


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A LightGBM model file, and the model's name, which comes from the file name."""

    name: str
    path: Path
    sha256: str
    size_bytes: int
    header: ModelHeader


def read_folder(folder: Path) -> list[ModelFile]:
    """Returns the models of `folder`, sorted by file name; raises Misconfigured with all faults."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".txt")
    except OSError as error:
        raise Misconfigured([f"{folder}: {error.strerror or error}; give the folder of a version"]) from error
    if not paths:
        raise Misconfigured([f"{folder}: contains no .txt file; save the models there with Booster.save_model"])
    found, faults = [], []
    for path in paths:
        try:
            found.append(_read(path))
        except (OSError, BadModel) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            faults.append(f"{path}: {reason}; replace the file, or move it to another folder if it is not a model")
    faults += _name_faults(found)
    if faults:
        raise Misconfigured(faults)
    return found


def _read(path: Path) -> ModelFile:
    header = read_header(path)
    name = path.stem.lower().replace("_", "-")
    return ModelFile(name, path, sha256_of(path), path.stat().st_size, header)


def _name_faults(models: Sequence[ModelFile]) -> Iterator[str]:
    first: dict[str, Path] = {}
    for model in models:
        if not re.match(DNS_LABEL, model.name):
            fix = "use lower-case letters, digits and dashes, at most 63"
            yield f"{model.path}: {model.name!r} is not a valid model name; {fix}"
        if first.setdefault(model.name, model.path) is not model.path:
            yield f"{model.path}: {model.name!r} is already the name of {first[model.name]}; rename one of the files"
