"""Uploads files to S3: skips an object with the same content, and does not overwrite an object with other content."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from mesh.s3.address import ObjectAddress
from mesh.s3.client import code_of, explain

Outcome = Literal["uploaded", "replaced", "unchanged", "differs"]

_SHA256 = "sha256"  # in the metadata of the object: all S3-compatible stores support it, unlike checksums
_MISSING = ("404", "NoSuchKey")
_CREATED_MEANWHILE = ("PreconditionFailed", "412", "ConditionalRequestConflict")


class UploadFailed(Exception):
    """An upload failed; the text is a sentence with the fix."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to upload to `address`; `replace` allows to overwrite other content."""

    path: Path
    sha256: str
    address: ObjectAddress
    replace: bool


async def put(client: Any, upload: Upload) -> Outcome:
    """Uploads the file; returns `differs` if the object has other content and must not be replaced.

    Raises UploadFailed. If it is cancelled, the object does not change, because S3 only shows complete objects.
    """
    try:
        return await _put(client, upload)
    except OSError as error:
        raise UploadFailed(f"{upload.path}: {error.strerror or error}") from error
    except (ClientError, BotoCoreError) as error:
        failure = explain(error, upload.address, "s3:GetObject, s3:PutObject (and s3:ListBucket on the bucket)")
        raise UploadFailed(f"{upload.address}: {failure.sentence if failure else error}") from error


async def _put(client: Any, upload: Upload) -> Outcome:
    published = await _published_sha256(client, upload.address)
    if published == upload.sha256:
        return "unchanged"
    if published is not None and not upload.replace:
        return "differs"
    try:
        await _send(client, upload)
    except ClientError as error:
        if code_of(error) not in _CREATED_MEANWHILE:
            raise
        # Another client created the object, or our first attempt did and its response was lost.
        return "uploaded" if await _published_sha256(client, upload.address) == upload.sha256 else "differs"
    return "uploaded" if published is None else "replaced"


async def _published_sha256(client: Any, address: ObjectAddress) -> str | None:
    """Returns the SHA-256 in the metadata of the object; empty if it has none, None if the object does not exist."""
    try:
        head = await client.head_object(Bucket=address.bucket, Key=address.key)
    except ClientError as error:
        if code_of(error) in _MISSING:
            return None
        raise
    return str(head["Metadata"].get(_SHA256, ""))


async def _send(client: Any, upload: Upload) -> None:
    # If two clients upload at the same time, the slower one must not overwrite the object.
    only_new = {} if upload.replace else {"IfNoneMatch": "*"}
    with upload.path.open("rb") as body:
        await client.put_object(
            Bucket=upload.address.bucket,
            Key=upload.address.key,
            Body=body,
            ContentType="text/plain; charset=utf-8",
            Metadata={_SHA256: upload.sha256},
            # S3 compares this with the received data, and rejects a file that changes during the upload.
            ChecksumSHA256=base64.b64encode(bytes.fromhex(upload.sha256)).decode(),
            **only_new,
        )
