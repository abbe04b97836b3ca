"""What the child that downloads a model is told, and in which words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """One model to be fetched into the folder `cache`, within `budget_s` and `limit_bytes`."""

    uri: str
    sha256: str | None
    cache: str
    budget_s: float
    limit_bytes: int

    def command(self) -> list[str]:
        """The words that start the child; `read` is their inverse."""
        # -P: a folder of the user's that happens to be called `model_worker` is not run instead.
        words = [self.uri, self.sha256 or "", self.cache, repr(self.budget_s), str(self.limit_bytes)]
        return [sys.executable, "-P", "-m", "model_worker.s3", *words]


def read(words: Sequence[str]) -> Order:
    """The order that `command` wrote, without the words for Python."""
    uri, sha256, cache, budget_s, limit_bytes = words
    return Order(uri, sha256 or None, cache, float(budget_s), int(limit_bytes))
