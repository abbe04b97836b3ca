"""Decision ids are UUIDs of version 7 and carry their time."""

from __future__ import annotations

import time
import uuid

import pytest

from mesh.decision_id import new_id, time_ms


def test_id_is_a_uuid_of_version_7() -> None:
    found = uuid.UUID(new_id())
    assert (found.version, found.variant, str(found)) == (7, uuid.RFC_4122, str(found).lower())


def test_id_has_the_time_at_which_it_was_made() -> None:
    before_ms = time.time_ns() // 1_000_000
    made_ms = time_ms(new_id())
    assert before_ms <= made_ms <= time.time_ns() // 1_000_000


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize(
    "text", ["", "0190", "9f1c2a34-0000-4000-8000-000000000000", "zzzzzzzz-zzzz-7zzz-8zzz-zzzzzzzzzzzz"]
)
def test_text_that_is_not_a_uuid_of_version_7_has_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a UUIDv7|invalid literal"):
        time_ms(text)
