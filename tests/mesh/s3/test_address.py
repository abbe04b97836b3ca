from __future__ import annotations

import pytest

from mesh.s3 import address as s3_address
from mesh.s3.address import ObjectAddress


def test_parsed_address_prints_as_the_same_uri() -> None:
    address = s3_address.parse("s3://models/arena/v 1/whales.txt")
    assert address == ObjectAddress("models", "arena/v 1/whales.txt")
    assert str(address) == "s3://models/arena/v 1/whales.txt"


@pytest.mark.parametrize("uri", ["s3://", "s3://models", "s3://models/", "s3:///key", "s3://models/arena/", "models/a"])
def test_other_uri_is_rejected_with_the_fix(uri: str) -> None:
    with pytest.raises(ValueError, match=f"^{uri} is not the address of an object; write s3://BUCKET/KEY$"):
        s3_address.parse(uri)


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("s3://bucket/../other/model.txt", "has a part . or .. in its key"),
        ("s3://bucket/a/../../other/model.txt", "has a part . or .. in its key"),
        ("s3://bucket/./model.txt", "has a part . or .. in its key"),
        ("s3://bucket/a\nb.txt", "has a control character in its key"),
        ("s3://bucket/a\x1b[2J.txt", "has a control character in its key"),
        ("s3://bucket/\ud800.txt", "has a control character in its key"),
        ("s3://bucket/" + "k" * 1025, "has a key of more than 1024 bytes"),
        ("s3://../model.txt", "has no valid bucket name"),
        ("s3://bu cket/model.txt", "has no valid bucket name"),
        ("s3://user:pw@host/model.txt", "has no valid bucket name"),
        ("s3://bucket?x=/model.txt", "has no valid bucket name"),
        ("s3:///model.txt", "is not the address of an object"),
        ("s3://bucket/", "is not the address of an object"),
    ],
)
def test_address_that_may_lead_elsewhere_is_refused(uri: str, problem: str) -> None:
    with pytest.raises(ValueError, match="; ") as caught:
        s3_address.parse(uri)
    assert problem in str(caught.value)


@pytest.mark.parametrize("key", ["a..b/...", "..a", "a/b c#?%2F..txt", "ünïcode", "a//b"])
def test_unusual_keys_are_accepted(key: str) -> None:
    assert s3_address.parse(f"s3://my.bucket-1/{key}") == ObjectAddress("my.bucket-1", key)
    assert s3_address.problem_of("my.bucket-1", key) is None
