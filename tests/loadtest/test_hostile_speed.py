"""The speed of hostile clients: bytes and writes per second of a whole process."""

from __future__ import annotations

import pytest

from loadtest.hostile import speed


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits on a clock that moves only by them."""
    now_s, waited = 0.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        waited.append(seconds)

    monkeypatch.setattr("loadtest.hostile.speed.time.monotonic", lambda: now_s)
    monkeypatch.setattr("loadtest.hostile.speed.asyncio.sleep", sleep)
    return waited


async def test_large_writes_are_limited_by_their_bytes(waits: list[float]) -> None:
    limited = speed.Speed(bytes_per_s=1000, writes_per_s=1000)
    for _ in range(3):
        await limited.take(500)
    assert waits == [0.5, 0.5]  # the first is free


async def test_small_writes_are_limited_by_their_number(waits: list[float]) -> None:
    limited = speed.Speed(bytes_per_s=1e9, writes_per_s=4)
    for _ in range(3):
        await limited.take(1)
    assert waits == [0.25, 0.25]


async def test_process_without_a_limit_does_not_wait(waits: list[float]) -> None:
    await speed.take(10**9)
    assert waits == []
