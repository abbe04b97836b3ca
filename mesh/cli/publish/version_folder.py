"""The models of a version as a data scientist leaves them: the LightGBM text files of one folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.catalog import DNS_LABEL
from mesh.errors import Misconfigured
from mesh.model_file import BadModel, ModelHeader, read_header
from mesh.sha256 import sha256_of


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file that is a LightGBM model, and the name that the model gets from it."""

    name: str
    path: Path
    sha256: str
    size_bytes: int
    header: ModelHeader


def read_folder(folder: Path) -> list[ModelFile]:
    """Every model of `folder` by name; raises Misconfigured with all that is wrong in it."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".txt")
    except OSError as error:
        raise Misconfigured([f"{folder}: {error.strerror or error}; give the folder of a version"]) from error
    if not paths:
        raise Misconfigured([f"{folder}: holds no .txt file; save the models there with Booster.save_model"])
    found, faults = [], []
    for path in paths:
        try:
            found.append(_read(path))
        except (OSError, BadModel) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            faults.append(f"{path}: {reason}; replace it, or move what is no model elsewhere")
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
            mend = "use small letters, digits and dashes, at most 63"
            yield f"{model.path}: {model.name!r} can be no model's name; {mend}"
        if first.setdefault(model.name, model.path) is not model.path:
            yield f"{model.path}: {model.name!r} is already the name of {first[model.name]}; rename one of them"
