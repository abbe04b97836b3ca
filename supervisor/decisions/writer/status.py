"""What the writer reports to its supervisor."""

from __future__ import annotations

from dataclasses import dataclass, field

DROP_REASONS = ("sink", "broken", "stopped")


@dataclass(slots=True)
class Status:
    """Counts since the start of the process.

    `dropped` counts records by the reason: `sink` (the sink failed, and the memory was full), `broken` (they could not
    be encoded), `stopped` (not written when the writer had to stop). `failure` is why the last attempt to write failed;
    None after a success.
    """

    written: int = 0
    written_bytes: int = 0
    files: int = 0
    failed_attempts: int = 0
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DROP_REASONS, 0))
    held: int = 0
    held_bytes: int = 0
    failure: str | None = None
