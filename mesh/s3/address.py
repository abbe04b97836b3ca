"""Where an object is in S3: its bucket and its key, as they are written in `s3://BUCKET/KEY`."""

from __future__ import annotations

from dataclasses import dataclass

SCHEME = "s3://"


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """The place of one object."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


def parse(uri: str) -> ObjectAddress:
    """The address that `uri` writes; raises ValueError, with the mend, when it is none."""
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    if not uri.startswith(SCHEME) or not bucket or not key or key.endswith("/"):
        raise ValueError(f"{uri} names no object; write s3://BUCKET/KEY")
    return ObjectAddress(bucket, key)
