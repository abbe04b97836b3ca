"""The request to download one model, as the command line of the child process that downloads it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One model to download into the folder `cache`, within `budget_s` and `limit_bytes`."""

    uri: str
    sha256: str | None
    cache: str
    budget_s: float
    limit_bytes: int

    def command(self) -> list[str]:
        """Returns the command of the child; `parse_arguments` is its inverse."""
        # -P: Python must not run a folder of the user that is also called `model_worker`.
        arguments = [self.uri, self.sha256 or "", self.cache, repr(self.budget_s), str(self.limit_bytes)]
        return [sys.executable, "-P", "-m", "model_worker.s3", *arguments]


def parse_arguments(arguments: Sequence[str]) -> FetchRequest:
    """Returns the request from the arguments of its `command`."""
    uri, sha256, cache, budget_s, limit_bytes = arguments
    return FetchRequest(uri, sha256 or None, cache, float(budget_s), int(limit_bytes))
