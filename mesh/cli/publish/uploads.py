"""Uploads files to S3, some at a time, with a progress bar."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mesh.errors import Misconfigured, Unavailable
from mesh.s3 import address as s3_address
from mesh.s3.address import ObjectAddress
from mesh.s3.client import BadSettings, connect
from mesh.s3.upload import Outcome, Upload, UploadFailed, put

BUDGET_S = 600.0  # for one file, including all waits for S3
_ATTEMPTS = 4
_PARALLEL_UPLOADS = 4


@dataclass(frozen=True, slots=True)
class Target:
    """A file and the S3 object to upload it to."""

    path: Path
    sha256: str
    size_bytes: int
    address: ObjectAddress


@dataclass(frozen=True, slots=True)
class Published:
    """A target with the outcome of its upload."""

    target: Target
    outcome: Outcome


def target(path: Path, sha256: str, size_bytes: int, to: str) -> Target:
    """Returns the target of a file below the prefix `to`; raises Misconfigured if `to` is not an S3 address."""
    try:
        return Target(path, sha256, size_bytes, s3_address.parse(f"{to.rstrip('/')}/{path.name}"))
    except ValueError:
        raise Misconfigured([f"--to {to}: not an S3 address; write s3://BUCKET/PREFIX"]) from None


def publish(targets: Sequence[Target], force: bool) -> list[Published | UploadFailed]:
    """Uploads the files that S3 does not have; raises Misconfigured if the AWS settings are wrong."""
    with _progress() as progress:
        task = progress.add_task("uploading", total=sum(one.size_bytes for one in targets))
        try:
            return asyncio.run(_publish(targets, force, lambda done: progress.advance(task, done)))
        except BadSettings as error:
            raise Misconfigured([str(error)]) from error


async def _publish(
    targets: Sequence[Target], force: bool, on_bytes: Callable[[int], object]
) -> list[Published | UploadFailed]:
    slots = asyncio.Semaphore(_PARALLEL_UPLOADS)

    async def upload(client: Any, one: Target) -> Published | UploadFailed:
        try:
            async with slots, asyncio.timeout(BUDGET_S):
                outcome = await put(client, Upload(one.path, one.sha256, one.address, force))
        except UploadFailed as failed:
            return failed
        except TimeoutError:
            return UploadFailed(f"{one.address}: not uploaded within {BUDGET_S:g} s; check the network")
        on_bytes(one.size_bytes)
        return Published(one, outcome)

    async with connect(_ATTEMPTS) as client:
        return await asyncio.gather(*(upload(client, one) for one in targets))


def all_published(results: Sequence[Published | UploadFailed]) -> list[Published]:
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
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
