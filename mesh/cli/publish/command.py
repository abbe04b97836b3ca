"""`mesh publish`: uploads the files of a version to S3: models, golden rows, reference; prints the catalog entries."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mesh.catalog import yaml_text
from mesh.cli.console import count
from mesh.cli.main import DONE
from mesh.cli.proofs import prove
from mesh.cli.publish import golden_files, reference_file
from mesh.cli.publish.golden_files import GoldenFile, GoldenOptions
from mesh.cli.publish.reference_file import ReferenceFile
from mesh.cli.publish.uploads import Published, Target, all_published, publish, target
from mesh.cli.publish.version_folder import ModelFile, read_folder
from mesh.errors import Misconfigured

Places = Mapping[Path, Published]  # by the path of the file; empty if nothing was uploaded


def run(arguments: argparse.Namespace) -> int:
    """Uploads the files that S3 does not have; raises Misconfigured before any upload if no worker serves a model."""
    options = GoldenOptions(arguments.golden, arguments.golden_players, arguments.catalog, arguments.golden_tolerance)
    _check_options(arguments, options)
    models = read_folder(arguments.folder)
    if arguments.to:
        list(_targets(models, {}, arguments.to))  # a wrong address is reported before the proofs
    if not arguments.quick:
        _prove(models, arguments.proofs)
    if options.is_set:
        golden_files.write(models, options)
    if arguments.reference:
        reference_file.make(models, arguments.reference, arguments.folder)
    golden, reference = golden_files.read(models), reference_file.read(models, arguments.folder)
    targets = list(_targets(models, golden, arguments.to, reference)) if arguments.to else []
    places = {one.target.path: one for one in all_published(publish(targets, arguments.force))} if targets else {}
    _report(models, golden, reference, places, arguments)
    return DONE


def _check_options(arguments: argparse.Namespace, golden: GoldenOptions) -> None:
    faults = []
    if arguments.quick and arguments.proofs:
        faults.append("--quick makes no proofs, but --proofs keeps them; give one of the two options")
    if arguments.quick and golden.is_set:
        faults.append("--quick does not prove the models, but LightGBM loads them for golden rows; remove --quick")
    if golden.path is not None and golden.players is not None:
        faults.append("--golden and --golden-players are two sources of golden rows; give one of the two options")
    if golden.players is not None and golden.catalog is None:
        faults.append("--golden-players needs the store of players; name the game's catalog with --catalog FILE")
    if arguments.quick and arguments.reference is not None:
        faults.append("--quick does not prove the models, but LightGBM loads them for --reference; remove --quick")
    if arguments.to is None and not golden.is_set and arguments.reference is None:
        files = "--golden or --reference to write files beside them"
        faults.append(f"give --to s3://BUCKET/PREFIX to upload the models, or {files}")
    if faults:
        raise Misconfigured(faults)


def _prove(models: Sequence[ModelFile], folder: Path | None) -> None:
    """Prints the notes of the proofs; raises Misconfigured with all models that no worker serves."""
    results = prove([model.path for model in models], folder)
    for note in (note for result in results.values() for note in result.notes):
        print(note, file=sys.stderr)
    fix = "replace the file, or move it to another folder"
    refused = [f"{path}: {result.refused}; {fix}" for path, result in results.items() if result.refused is not None]
    if refused:
        raise Misconfigured(refused)


def _targets(
    models: Sequence[ModelFile], golden: Mapping[str, GoldenFile], to: str, reference: ReferenceFile | None = None
) -> Iterator[Target]:
    """Yields the models last: a model is in the catalog only after all its files are there."""
    for rows in (*golden.values(), *((reference,) if reference is not None else ())):
        yield target(rows.path, rows.sha256, rows.size_bytes, to)
    for model in models:
        yield target(model.path, model.sha256, model.size_bytes, to)


def _report(
    models: Sequence[ModelFile],
    golden: Mapping[str, GoldenFile],
    reference: ReferenceFile | None,
    places: Places,
    arguments: argparse.Namespace,
) -> None:
    """Prints the catalog entries to stdout and everything else to stderr, so that a pipe gets only the entries."""
    home = None if arguments.catalog is None else arguments.catalog.parent
    entries = [_entry(model, golden.get(model.name), places, home) for model in models]
    if arguments.json:
        facts = [_facts(model, golden.get(model.name), places) for model in models]
        both = [{**entry, **more} for entry, more in zip(entries, facts, strict=True)]
        named = {"reference": _place(reference.path, places, home)} if reference is not None else {}
        print(json.dumps({"event": "published", **named, "models": both}))
        return
    for model in models:
        for line in _notes(model, golden.get(model.name), places):
            print(line, file=sys.stderr)
    if reference is not None:
        print(f"{reference.path}: {reference.summary}", file=sys.stderr)
        print(yaml_text.dump({"reference": _place(reference.path, places, home)}))
    print("models:")
    for entry in entries:
        print(f"  - {yaml_text.dump(entry, flow=True)}")


def _notes(model: ModelFile, golden: GoldenFile | None, places: Places) -> Iterator[str]:
    if model.path in places:
        yield f"{places[model.path].outcome} {places[model.path].target.address}"
    if golden is not None:
        rows = count(golden.rows, "golden row")
        yield (
            f"{places[golden.path].outcome} {places[golden.path].target.address}, {rows}"
            if places
            else f"{golden.path}: {rows}"
        )
    if (classes := model.header.classes) > 1:
        fix = f"add `class: N` to its entry, N from 0 to {classes - 1}"
        yield f"{model.name} has {classes} classes; {fix}"
    if (lists := model.header.open_lists) is not None:
        problem = f"{model.name}: the list of pandas categories {lists}"
        yield f"{problem}; add `categories: [...]`, the columns of type category, to its entry"


def _entry(model: ModelFile, golden: GoldenFile | None, places: Places, home: Path | None) -> dict[str, str]:
    entry = {"name": model.name, "uri": _place(model.path, places, home), "sha256": model.sha256}
    if golden is None:
        return entry
    return {**entry, "golden": _place(golden.path, places, home), "golden_sha256": golden.sha256}


def _facts(model: ModelFile, golden: GoldenFile | None, places: Places) -> dict[str, Any]:
    outcome = {"outcome": places[model.path].outcome} if places else {}
    rows = {"golden_rows": golden.rows} if golden is not None else {}
    return {**outcome, "size_bytes": model.size_bytes, "classes": model.header.classes, **rows}


def _place(path: Path, places: Places, home: Path | None) -> str:
    """The address in S3, or the path; a relative path starts at `home`, the folder of the catalog, if it is known."""
    if places:
        return str(places[path].target.address)
    return str(path) if home is None or path.is_absolute() else os.path.relpath(path, home)
