"""The address of an object in S3: `s3://BUCKET/KEY`."""

from __future__ import annotations

from dataclasses import dataclass

SCHEME = "s3://"


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
    return ObjectAddress(bucket, key)
