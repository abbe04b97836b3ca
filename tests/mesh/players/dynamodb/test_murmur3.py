"""MurmurHash3 against published values."""

from __future__ import annotations

import pytest

from mesh.players.dynamodb.murmur3 import hash_128


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "0" * 32),
        (b"foo", "6145f501578671e2877dba2be487af7e"),  # the README of mmh3
        (b"The quick brown fox jumps over the lazy dog", "6c1b07bc7bbc4be347939ac4a93c437a"),
    ],
)
def test_hash_equals_the_published_value(data: bytes, expected: str) -> None:
    assert hash_128(data).hex() == expected
