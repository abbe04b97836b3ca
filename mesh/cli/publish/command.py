"""`mesh publish`: uploads the models of a version to S3 and prints their catalog entries."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mesh.catalog import yaml_text
from mesh.cli.main import DONE
from mesh.cli.proofs import prove
from mesh.cli.publish.version_folder import ModelFile, read_folder
from mesh.errors import Misconfigured, Unavailable
from mesh.s3 import address as s3_address
from mesh.s3.address import ObjectAddress
from mesh.s3.client import BadSettings, connect
from mesh.s3.upload import Outcome, Upload, UploadFailed, put

BUDGET_S = 600.0  # for one model, including all waits for S3
_ATTEMPTS = 4
_PARALLEL_UPLOADS = 4


@dataclass(frozen=True, slots=True)
class Target:
    """A model file and the S3 object to upload it to."""

    model: ModelFile
    address: ObjectAddress


@dataclass(frozen=True, slots=True)
class Published:
    """A target with the outcome of its upload."""

    target: Target
    outcome: Outcome


def run(arguments: argparse.Namespace) -> int:
    """Uploads the models that S3 does not have; raises Misconfigured before any upload if no worker serves a model."""
    if arguments.quick and arguments.proofs:
        raise Misconfigured(["--quick makes no proofs, but --proofs keeps them; give one of the two options"])
    models = read_folder(arguments.folder)
    targets = list(_targets(models, arguments.to))
    if not arguments.quick:
        _prove(models, arguments.proofs)
    with _progress() as progress:
        task = progress.add_task("uploading", total=sum(target.model.size_bytes for target in targets))
        try:
            results = asyncio.run(_publish(targets, arguments.force, lambda done: progress.advance(task, done)))
        except BadSettings as error:
            raise Misconfigured([str(error)]) from error
    _report(_all_published(results), arguments.json)
    return DONE


def _prove(models: Sequence[ModelFile], folder: Path | None) -> None:
    """Prints the notes of the proofs; raises Misconfigured with all models that no worker serves."""
    results = prove([model.path for model in models], folder)
    for note in (note for result in results.values() for note in result.notes):
        print(note, file=sys.stderr)
    fix = "replace the file, or move it to another folder"
    refused = [f"{path}: {result.refused}; {fix}" for path, result in results.items() if result.refused is not None]
    if refused:
        raise Misconfigured(refused)


def _targets(models: Sequence[ModelFile], to: str) -> Iterator[Target]:
    for model in models:
        try:
            yield Target(model, s3_address.parse(f"{to.rstrip('/')}/{model.path.name}"))
        except ValueError:
            raise Misconfigured([f"--to {to}: not an S3 address; write s3://BUCKET/PREFIX"]) from None


async def _publish(
    targets: Sequence[Target], force: bool, on_bytes: Callable[[int], object]
) -> list[Published | UploadFailed]:
    slots = asyncio.Semaphore(_PARALLEL_UPLOADS)

    async def publish(client: Any, target: Target) -> Published | UploadFailed:
        upload = Upload(target.model.path, target.model.sha256, target.address, force)
        try:
            async with slots, asyncio.timeout(BUDGET_S):
                outcome = await put(client, upload)
        except UploadFailed as failed:
            return failed
        except TimeoutError:
            return UploadFailed(f"{target.address}: not uploaded within {BUDGET_S:g} s; check the network")
        on_bytes(target.model.size_bytes)
        return Published(target, outcome)

    async with connect(_ATTEMPTS) as client:
        return await asyncio.gather(*(publish(client, target) for target in targets))


def _all_published(results: Sequence[Published | UploadFailed]) -> list[Published]:
    """Returns the results if all uploads succeeded; otherwise raises an error that lists the failures."""
    failed = [str(result) for result in results if isinstance(result, UploadFailed)]
    if failed:
        raise Unavailable("\n".join(failed))
    published = [result for result in results if isinstance(result, Published)]
    differing = [one.target.address for one in published if one.outcome == "differs"]
    if differing:
        fix = "publish to another prefix, or use --force to replace it"
        raise Misconfigured([f"{address}: exists with different content; {fix}" for address in differing])
    return published


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _report(published: Sequence[Published], as_json: bool) -> None:
    """Prints the catalog entries to stdout and everything else to stderr, so that a pipe gets only the entries."""
    if as_json:
        print(json.dumps({"event": "published", "models": [_as_json(one) for one in published]}))
        return
    for one in published:
        print(f"{one.outcome} {one.target.address}", file=sys.stderr)
        if (classes := one.target.model.header.classes) > 1:
            fix = f"add `class: N` to its entry, N from 0 to {classes - 1}"
            print(f"{one.target.model.name} has {classes} classes; {fix}", file=sys.stderr)
        if (lists := one.target.model.header.open_lists) is not None:
            problem = f"{one.target.model.name}: the list of pandas categories {lists}"
            print(f"{problem}; add `categories: [...]`, the columns of type category, to its entry", file=sys.stderr)
    print("models:")
    for one in published:
        print(f"  - {yaml_text.dump(_entry(one.target), flow=True)}")


def _entry(target: Target) -> dict[str, str]:
    return {"name": target.model.name, "uri": str(target.address), "sha256": target.model.sha256}


def _as_json(one: Published) -> dict[str, Any]:
    model = one.target.model
    facts = {"outcome": one.outcome, "size_bytes": model.size_bytes, "classes": model.header.classes}
    return {**_entry(one.target), **facts}
