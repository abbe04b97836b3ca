"""The address of an object in S3: `s3://BUCKET/KEY`."""

from __future__ import annotations

import re
from dataclasses import dataclass

SCHEME = "s3://"
MAX_KEY_BYTES = 1024  # the limit of S3
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_NOT_IN_KEYS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """The bucket and the key of one object."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


def parse(uri: str) -> ObjectAddress:
    """Parses `uri`; raises ValueError, with the fix, if it is not the address of an object."""
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not bucket or not key or key.endswith("/"):
        raise ValueError(f"{uri} is not the address of an object; write s3://BUCKET/KEY")
    if (problem := problem_of(bucket, key)) is not None:
        raise ValueError(f"{uri} {problem}")
    return ObjectAddress(bucket, key)


def problem_of(bucket: str, key: str) -> str | None:
    """Returns the problem and the fix of an address that may lead to another object or bucket; None if it is valid."""
    if not _BUCKET.fullmatch(bucket):
        return "has no valid bucket name; use at most 63 letters, digits, dots, dashes and underscores"
    # A proxy or a compatible store may resolve `..` as in the path of a URL: the object, or the bucket, is another one.
    if any(part in (".", "..") for part in key.split("/")):
        return "has a part . or .. in its key; write the key without them"
    if _NOT_IN_KEYS.search(key):
        return "has a control character in its key; remove it"
    if len(key.encode()) > MAX_KEY_BYTES:
        return f"has a key of more than {MAX_KEY_BYTES} bytes; shorten it"
    return None
