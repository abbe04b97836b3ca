"""Hostile clients at the gRPC ports of a supervisor and a worker: nothing crashes, leaks or fails beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from loadtest.hostile.attacks import every_attack
from tests.end_to_end.hostile.conftest import HostileMesh
from tests.end_to_end.hostile.observed import (
    MAX_GROWTH_MB,
    MAX_LINES,
    Attacked,
    attack,
    steady_traffic,
)

pytestmark = pytest.mark.whole_machine


def only(*outcomes: str) -> Callable[[Counter[str]], bool]:
    return lambda counts: bool(counts) and set(counts) <= set(outcomes)


def has(outcome: str) -> Callable[[Counter[str]], bool]:
    return lambda counts: any(name.endswith(outcome) for name in counts)


def has_none(*outcomes: str) -> Callable[[Counter[str]], bool]:
    return lambda counts: bool(counts) and not any(name.endswith(outcomes) for name in counts)


UNKNOWN, INTERNAL, NO_ANSWER = "status 2", "status 13", "no answer"
# What comes back from an attack; the others only must not harm.
EXPECTED = {
    "slow_handshakes": only("closed"),
    "unacknowledged_settings": only("closed"),
    "wrong_preface": only("closed"),
    "hpack_bomb": only("status 8"),
    "hpack_bomb_in_parts": only("status 8"),
    "unacknowledged_hpack_bomb": only("status 8"),
    "many_headers": only("status 8"),
    "table_churn": only("status 8"),
    "large_metadata": only("status 8"),
    "broken_blocks": has_none(UNKNOWN, NO_ANSWER),
    "bad_timeouts": has_none(UNKNOWN, NO_ANSWER),
    "bad_headers": has_none(UNKNOWN, NO_ANSWER),
    "bad_prefixes": has_none(UNKNOWN, NO_ANSWER),
    "gzip_bombs": only("gzip: status 8", "deflate: status 8"),
    "large_messages": has("17408 KB: status 8"),
    "malformed_messages": has_none(UNKNOWN, INTERNAL, NO_ANSWER, "closed"),
    "server_reset": has("closed"),
    "empty_data_flood": has("closed"),
    "continuation_flood": has("closed"),
    "empty_continuation_flood": has("closed"),
}
# gRPC's core has no limit here (docs/limits.md): the memory of 10 calls with 16 MB each.
GROWTH_MB = {"unacknowledged_hpack_bomb": 160.0}


@pytest.mark.parametrize("name", every_attack())
async def test_attack_harms_neither_the_process_nor_the_valid_requests(
    name: str, attacked: Attacked, hostile_mesh: HostileMesh
) -> None:
    before, growth_mb = attacked.state(), GROWTH_MB.get(name, MAX_GROWTH_MB)
    async with steady_traffic(hostile_mesh.address) as traffic:
        counts = await attack(name, attacked.address, attacked.service)
    after = await attacked.settled(before, growth_mb)
    lines = attacked.new_lines(before)

    assert set(traffic.answers) == {"ENSEMBLE"}, traffic.answers
    assert await attacked.is_serving()
    assert after.memory_mb - before.memory_mb < growth_mb
    assert after.files <= before.files
    assert len(lines) <= MAX_LINES, lines
    assert not any("Traceback" in line for line in lines), lines
    assert EXPECTED.get(name, bool)(counts), counts


def test_every_expectation_is_of_an_attack() -> None:
    assert set(EXPECTED) <= set(every_attack())
