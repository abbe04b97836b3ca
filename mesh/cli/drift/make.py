"""`mesh drift reference`: makes the reference of a version of a catalog from rows of its training."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mesh.catalog import catalog as catalogs
from mesh.catalog import files as catalog_files
from mesh.catalog.catalog import Catalog
from mesh.catalog.version import Model
from mesh.cli.console import count, print_line, stdout
from mesh.cli.drift.training_table import TrainingTable
from mesh.cli.main import DONE
from mesh.drift.reference import BadReference, Reference, decode, encode
from mesh.errors import Misconfigured
from mesh.model_file import BadModel
from mesh.reference.local_files import with_local_files
from mesh.reference.training import TrainedModel, make_reference
from mesh.sha256 import sha256_of


def run(arguments: argparse.Namespace) -> int:
    """Writes the file; raises Misconfigured if the rows do not fit the models of the version."""
    catalog = catalogs.load(arguments.catalog)
    version: str = arguments.version
    if version not in catalog.versions:
        known = ", ".join(catalog.versions)
        raise Misconfigured([f"--version {version}: {arguments.catalog} has no such version, only {known}; name one"])
    table = TrainingTable(arguments.rows)
    with tempfile.TemporaryDirectory(prefix="mesh-drift-") as folder:
        models = _models(with_local_files(catalog, version, Path(folder)), version, table)
        reference = reference_of(models, table, arguments.exclude)
    write(reference, arguments.to)
    print_line(stdout(), f"{arguments.to}: {summary(reference)}")
    return DONE


def reference_of(models: Sequence[TrainedModel], table: TrainingTable, left_out: Sequence[str]) -> Reference:
    """Returns the reference of `models` from the rows of a table; raises Misconfigured if they do not fit."""
    names = list(dict.fromkeys(name for model in models for name in model.header.feature_names))
    if wrong := [name for name in left_out if name not in names]:
        fix = "name features of the models"
        raise Misconfigured([f"--exclude {name}: the models have no such feature; {fix}" for name in wrong])
    try:
        return make_reference(models, table.columns(names), left_out)
    except ValueError as error:
        raise Misconfigured([f"{table.path}: {error}; save the frame of the training"]) from error


def write(reference: Reference, path: Path) -> None:
    """Writes the file in one step: it is complete, or as before. Raises Misconfigured if it cannot be written."""
    content = encode(reference)
    try:
        decode(content)  # no supervisor reads a file above the limit
    except BadReference as error:
        raise Misconfigured([f"{path}: {error}"]) from error
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.write_bytes(content)
        fresh.replace(path)
    except OSError as error:
        raise Misconfigured([f"{path}: {error.strerror or error}; name a file in a folder that exists"]) from error


def summary(reference: Reference) -> str:
    """Returns what a reference contains, as a part of a sentence."""
    features, models = count(len(reference.features), "feature"), count(len(reference.scores), "model")
    return f"{features} and the scores of {models}, from {reference.rows:,} rows"


def _models(catalog: Catalog, version: str, table: TrainingTable) -> list[TrainedModel]:
    return [_trained(model, table) for model in catalog.versions[version].voters]


def _trained(model: Model, table: TrainingTable) -> TrainedModel:
    path = Path(model.uri)
    try:
        header = catalog_files.header_of(model)
    except BadModel as error:
        raise Misconfigured([f"{path}: {error.reason}"]) from error
    if fault := catalog_files.class_fault(model, header):
        raise Misconfigured([f"{model.name}.class: {fault[0]}; {fault[1]}"])
    return TrainedModel(model.name, path, sha256_of(path), table.header_of(header), model.class_ or 0)
