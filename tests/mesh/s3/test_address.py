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
