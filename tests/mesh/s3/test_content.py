"""Small objects are read up to a limit, whatever the bucket holds."""

from __future__ import annotations

import pytest

from mesh.errors import Misconfigured
from mesh.s3.client import connect
from mesh.s3.content import content_of
from tests.emulators.s3 import S3, use


async def test_object_is_read_up_to_the_limit(s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, s3_store.endpoint)
    s3_store.make_bucket("bounded-content")
    s3_store.put("bounded-content", "object", b"x" * 3_000_000)
    async with connect() as client:
        assert len(await content_of(client, "s3://bounded-content/object", 3_000_000)) == 3_000_000
        with pytest.raises(Misconfigured, match=r"^s3://bounded-content/object: is larger than 1 MiB; is it the right"):
            await content_of(client, "s3://bounded-content/object", 2**20)
