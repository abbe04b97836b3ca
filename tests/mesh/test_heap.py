"""Memory that was freed between allocations that are still used goes back to the system."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from mesh import heap
from mesh.background import in_background

BLOCKS, BLOCK_BYTES, KEPT_OF = 60_000, 1024, 100
WITHIN_S = 30.0


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
async def test_freed_memory_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [bytes(BLOCK_BYTES) for _ in range(BLOCKS)]
    kept = blocks[::KEPT_OF]
    del blocks
    held_mb = memory_mb()
    monkeypatch.setattr(heap, "EVERY_S", 0.01)
    async with in_background(heap.return_freed_memory()), asyncio.timeout(WITHIN_S):
        while memory_mb() > held_mb - 30:  # noqa: ASYNC110 (of 57 MB that are free; the kernel has no event for it)
            await asyncio.sleep(0.01)
    assert len(kept) == BLOCKS / KEPT_OF
