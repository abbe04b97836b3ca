"""The errors that end a load test; each message is a line for the user."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mesh.process import ProcessFailed


class CannotMeasure(Exception):
    """A measurement cannot be made; the message names the part that failed and, if known, the fix."""


# A measurement ends with one of these when it cannot be made.
FAILURES = (CannotMeasure, ProcessFailed)


@contextlib.contextmanager
def ungrouped() -> Iterator[None]:
    """Raises an error of FAILURES by itself when a TaskGroup in the block raises it in an exception group."""
    try:
        yield
    except BaseExceptionGroup as errors:
        found: BaseException | None = errors.subgroup(FAILURES)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if found is None:
            raise
        raise found from None
