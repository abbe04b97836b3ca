"""Puts files into S3: what is there already is left alone, what is there with other content is not overwritten."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from mesh.s3.address import ObjectAddress
from mesh.s3.client import code_of, explain

Outcome = Literal["uploaded", "replaced", "unchanged", "differs"]

_SHA256 = "sha256"  # the object's metadata: any S3-compatible store keeps it, not every one a checksum
_MISSING = ("404", "NoSuchKey")
_CAME_BETWEEN = ("PreconditionFailed", "412", "ConditionalRequestConflict")


class UploadFailed(Exception):
    """S3 did not take an object; the text is a sentence with the mend."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to an object; `replace` allows for other content to be lost."""

    path: Path
    sha256: str
    address: ObjectAddress
    replace: bool


async def put(client: Any, upload: Upload) -> Outcome:
    """Sees that the object has the file's content: `differs` when it does not, and must not be replaced.

    Raises UploadFailed. Cancelled, it leaves the object as it was: S3 shows an object when it is whole.
    """
    try:
        return await _put(client, upload)
    except OSError as error:
        raise UploadFailed(f"{upload.path}: {error.strerror or error}") from error
    except (ClientError, BotoCoreError) as error:
        failure = explain(error, upload.address, "s3:GetObject, s3:PutObject (and s3:ListBucket on the bucket)")
        raise UploadFailed(f"{upload.address}: {failure.sentence if failure else error}") from error


async def _put(client: Any, upload: Upload) -> Outcome:
    there = await _sha256_there(client, upload.address)
    if there == upload.sha256:
        return "unchanged"
    if there is not None and not upload.replace:
        return "differs"
    try:
        await _send(client, upload)
    except ClientError as error:
        if code_of(error) not in _CAME_BETWEEN:
            raise
        # Somebody else's object, or ours: the answer to the first attempt was lost.
        return "uploaded" if await _sha256_there(client, upload.address) == upload.sha256 else "differs"
    return "uploaded" if there is None else "replaced"


async def _sha256_there(client: Any, address: ObjectAddress) -> str | None:
    """The digest that the object was published with; empty when it was not by us, None when there is none."""
    try:
        head = await client.head_object(Bucket=address.bucket, Key=address.key)
    except ClientError as error:
        if code_of(error) in _MISSING:
            return None
        raise
    return str(head["Metadata"].get(_SHA256, ""))


async def _send(client: Any, upload: Upload) -> None:
    # Two who publish at once: the second must not win by being slower.
    only_new = {} if upload.replace else {"IfNoneMatch": "*"}
    with upload.path.open("rb") as body:
        await client.put_object(
            Bucket=upload.address.bucket,
            Key=upload.address.key,
            Body=body,
            ContentType="text/plain; charset=utf-8",
            Metadata={_SHA256: upload.sha256},
            # S3 compares this with what arrived: a file that changes meanwhile is refused.
            ChecksumSHA256=base64.b64encode(bytes.fromhex(upload.sha256)).decode(),
            **only_new,
        )
