"""The CPU starvation of a machine, as a test sets it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FakeStarvation:
    starved: bool = False

    def report(self, share: float) -> None:
        """Ignores the shares in replies."""

    def is_starved(self) -> bool:
        return self.starved


NEVER_STARVED = FakeStarvation()
