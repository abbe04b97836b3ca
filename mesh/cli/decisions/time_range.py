"""The range of time that `--from` and `--to` choose."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from mesh import moment
from mesh.errors import Misconfigured


def time_range(arguments: argparse.Namespace) -> tuple[datetime | None, datetime | None]:
    """Returns the first time and the time after the last one, in UTC; None: no limit.

    Raises Misconfigured if a text is not a time, or if the range is empty.
    """
    since, until = _time("--from", arguments.since), _time("--to", arguments.until)
    if since is not None and until is not None and since >= until:
        raise Misconfigured([f"--to: {arguments.until} is not after --from {arguments.since}; give a later time"])
    return since, until


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    found = moment.epoch_s(text)
    if found is None:
        raise Misconfigured([f"{option}: {text!r} is not a time; give a date, or {moment.FORMATS}"])
    return datetime.fromtimestamp(found, UTC)
