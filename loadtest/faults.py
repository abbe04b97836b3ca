"""What stops a load test: one error, whose text is the line that its user reads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class CannotMeasure(Exception):
    """The measurement could not be made; the text names the part that failed and, if known, the mend."""


@contextlib.contextmanager
def ungrouped() -> Iterator[None]:
    """Lets a CannotMeasure out of the group that a TaskGroup in the block has put it into."""
    try:
        yield
    except BaseExceptionGroup as errors:
        found: BaseException | None = errors.subgroup(CannotMeasure)
        while isinstance(found, BaseExceptionGroup):
            found = found.exceptions[0]
        if found is None:
            raise
        raise found from None
