"""What stops a load test: one error, whose text is the line that its user reads."""

from __future__ import annotations


class CannotMeasure(Exception):
    """The measurement could not be made; the text names the part that failed and, if known, the mend."""
