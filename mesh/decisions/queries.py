"""The SQL of the reader of a decision log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

OUTCOMES_OF_DECISIONS = """
    SELECT o.* FROM {outcomes} o SEMI JOIN {decisions} d ON o.decision_id = d.decision_id
    UNION ALL
    SELECT o.* REPLACE (d.decision_id AS decision_id)
    FROM {outcomes} o JOIN {decisions} d ON o.request_id = d.request_id
    WHERE o.decision_id IS NULL AND o.request_id <> ''
    QUALIFY row_number() OVER (
        PARTITION BY o.outcome_id
        ORDER BY d.time > o.received, abs(epoch_us(o.received) - epoch_us(d.time)), d.decision_id
    ) = 1
"""


def names(columns: Iterable[str]) -> str:
    """Returns the columns of a SELECT."""
    return ", ".join(f'"{name}"' for name in columns)  # `limit` is a keyword of SQL


def where(clock: str, since: datetime | None, until: datetime | None) -> str:
    """Returns the condition, with a space before it, that the column `clock` is in a range; empty without limits."""
    limits = [f"{clock} {sign} {_literal(at)}" for sign, at in ((">=", since), ("<", until)) if at is not None]
    return f" WHERE {' AND '.join(limits)}" if limits else ""


def _literal(time: datetime) -> str:
    return f"TIMESTAMPTZ '{time.astimezone(UTC).isoformat()}'"
