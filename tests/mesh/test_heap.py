"""Memory that was freed between allocations that are still used goes back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import os

import pytest

from loadtest.measurement.meters import pss_mb
from mesh import heap
from mesh.background import in_background

BLOCKS, BLOCK_BYTES, KEPT_OF = 60_000, 1024, 100
WITHIN_S = 30.0


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc returns memory when it is asked")
async def test_freed_memory_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [bytes(BLOCK_BYTES) for _ in range(BLOCKS)]
    kept = blocks[::KEPT_OF]
    del blocks
    held_mb = pss_mb(os.getpid())
    monkeypatch.setattr(heap, "EVERY_S", 0.01)
    async with in_background(heap.return_freed_memory()), asyncio.timeout(WITHIN_S):
        while pss_mb(os.getpid()) > held_mb - 30:  # noqa: ASYNC110 (of 57 MB that are free; the kernel has no event for it)
            await asyncio.sleep(0.01)
    assert len(kept) == BLOCKS / KEPT_OF
