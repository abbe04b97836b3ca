"""The attacks: each is a function of a target, of its service and of a size; it returns counts of what came back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.hostile.connection import Target
from loadtest.hostile.services import Service

Outcomes = Counter[str]


@dataclass(frozen=True, slots=True)
class Aim:
    """What an attack is directed at. Counts of an attack are multiplied by `size`."""

    target: Target
    service: Service
    size: float = 1.0

    @property
    def arguments(self) -> tuple[str, ...]:
        """The words after the name of an attack in the command line of `python -m loadtest.hostile`."""
        return f"{self.target.host}:{self.target.port}", self.service.text, str(self.size)

    def times(self, count: int) -> int:
        """Returns `count` for the size of this attack."""
        return max(1, round(count * self.size))


AT_ONCE = 20
Attack = Callable[[Aim], Coroutine[Any, Any, Outcomes]]


async def all_of(works: Iterable[Coroutine[Any, Any, str]], at_once: int = AT_ONCE) -> Outcomes:
    """Runs `works`, at most `at_once` at a time, and counts their results."""
    gate = asyncio.Semaphore(at_once)

    async def run(work: Coroutine[Any, Any, str]) -> str:
        async with gate:
            return await work

    return Counter(await asyncio.gather(*map(run, works)))


def every_attack() -> Mapping[str, Attack]:
    """All attacks on a gRPC port, by name."""
    from loadtest.hostile.attacks import bad_calls, bad_frames, floods, header_tables, leaving, messages, slow

    modules = (slow, bad_frames, floods, header_tables, bad_calls, messages, leaving)
    return {name: attack for module in modules for name, attack in module.ATTACKS.items()}
