"""Recent ids: finds repeated reports in bounded memory."""

from __future__ import annotations

GENERATION = 32_768


class RecentIds:
    """Remembers at least the last `generation` ids that were added, and at most twice as many."""

    def __init__(self, generation: int = GENERATION) -> None:
        self._generation = generation
        self._young: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, one: str) -> bool:
        return one in self._young or one in self._old

    def add(self, one: str) -> None:
        """Remembers an id."""
        self._young.add(one)
        if len(self._young) >= self._generation:
            self._old, self._young = self._young, set()
