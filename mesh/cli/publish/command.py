"""`mesh publish`: a version's models to S3, and the lines about them for the catalog."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mesh.cli.publish.version_folder import ModelFile, read_folder
from mesh.errors import Misconfigured, Unavailable
from mesh.s3 import address as s3_address
from mesh.s3.address import ObjectAddress
from mesh.s3.client import BadSettings, connect
from mesh.s3.upload import Outcome, Upload, UploadFailed, put

BUDGET_S = 600.0  # of one model, with every wait for S3
_ATTEMPTS = 4
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A model, and the object that it is to become."""

    model: ModelFile
    address: ObjectAddress


@dataclass(frozen=True, slots=True)
class Published:
    """A place that was looked at, and what was done about it."""

    place: Place
    outcome: Outcome


def run(arguments: argparse.Namespace) -> int:
    """Uploads what is not there yet; raises Misconfigured before the first byte when the folder is not all models."""
    places = list(_places(read_folder(arguments.folder), arguments.to))
    with _progress() as progress:
        task = progress.add_task("uploading", total=sum(place.model.size_bytes for place in places))
        try:
            results = asyncio.run(_publish(places, arguments.force, lambda done: progress.advance(task, done)))
        except BadSettings as error:
            raise Misconfigured([str(error)]) from error
    _report(_all_published(results), arguments.json)
    return 0


def _places(models: Sequence[ModelFile], to: str) -> Iterator[Place]:
    for model in models:
        try:
            yield Place(model, s3_address.parse(f"{to.rstrip('/')}/{model.path.name}"))
        except ValueError:
            raise Misconfigured([f"--to {to}: is no place in S3; write s3://BUCKET/PREFIX"]) from None


async def _publish(
    places: Sequence[Place], force: bool, on_bytes: Callable[[int], object]
) -> list[Published | UploadFailed]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def publish(client: Any, place: Place) -> Published | UploadFailed:
        upload = Upload(place.model.path, place.model.sha256, place.address, force)
        try:
            async with turns, asyncio.timeout(BUDGET_S):
                outcome = await put(client, upload)
        except UploadFailed as failed:
            return failed
        except TimeoutError:
            return UploadFailed(f"{place.address}: not there after {BUDGET_S:g} s; check the network")
        on_bytes(place.model.size_bytes)
        return Published(place, outcome)

    async with connect(_ATTEMPTS) as client:
        return await asyncio.gather(*(publish(client, place) for place in places))


def _all_published(results: Sequence[Published | UploadFailed]) -> list[Published]:
    """The results, when all went well; raises with every one that did not."""
    failed = [str(result) for result in results if isinstance(result, UploadFailed)]
    if failed:
        raise Unavailable("\n".join(failed))
    published = [result for result in results if isinstance(result, Published)]
    differing = [one.place.address for one in published if one.outcome == "differs"]
    if differing:
        mend = "publish to another prefix, or --force to replace it"
        raise Misconfigured([f"{address}: is there with other content; {mend}" for address in differing])
    return published


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _report(published: Sequence[Published], as_json: bool) -> None:
    """The catalog's lines go to stdout, everything else to stderr, so that they can be piped into a file."""
    if as_json:
        print(json.dumps({"event": "published", "models": [_as_json(one) for one in published]}))
        return
    for one in published:
        print(f"{one.outcome} {one.place.address}", file=sys.stderr)
        if (classes := one.place.model.header.classes) > 1:
            choice = f"add `class: N` to its line, 0 to {classes - 1}"
            print(f"{one.place.model.name} has {classes} classes; {choice}", file=sys.stderr)
    print("models:")
    for one in published:
        line = yaml.safe_dump(_entry(one.place), default_flow_style=True, sort_keys=False, width=sys.maxsize)
        print(f"  - {line.strip()}")


def _entry(place: Place) -> dict[str, str]:
    return {"name": place.model.name, "uri": str(place.address), "sha256": place.model.sha256}


def _as_json(one: Published) -> dict[str, Any]:
    model = one.place.model
    facts = {"outcome": one.outcome, "size_bytes": model.size_bytes, "classes": model.header.classes}
    return {**_entry(one.place), **facts}
