"""The result of replaying several trace files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autoscaling.traces import trace_file
from autoscaling.traces.replay import Difference, compared_fields, differences, is_compared
from autoscaling.traces.trace_hpa import hpa_of, version_of
from mesh.errors import Misconfigured


class Replay(NamedTuple):
    """The result of one file: numbers of compared ticks and fields, and the differences."""

    file: Path
    ticks: int
    fields: int
    differences: list[Difference]


def replay_files(files: Sequence[Path], kubernetes: str | None) -> list[Replay]:
    """Replays all `files`; `kubernetes` overrides their version. Raises Misconfigured with the faults of all files."""
    found, faults = [], []
    for file in files:
        try:
            trace = trace_file.load(file)
            hpa = hpa_of(trace, version_of(trace, file, kubernetes), file)
        except Misconfigured as error:
            faults += error.faults
        else:
            ticks = sum(is_compared(trace, one) for one in trace.ticks)
            fields = ticks * len(compared_fields(trace))
            found.append(Replay(file, ticks, fields, list(differences(trace, hpa))))
    if faults:
        raise Misconfigured(list(dict.fromkeys(faults)))
    return found


def as_json(replays: Sequence[Replay]) -> dict[str, Any]:
    """Returns the JSON document of all `replays`."""
    listed = [
        {"file": str(one.file), **dataclasses.asdict(difference)} for one in replays for difference in one.differences
    ]
    ticks, fields = sum(one.ticks for one in replays), sum(one.fields for one in replays)
    return {"traces": len(replays), "ticks": ticks, "fields": fields, "differences": listed}
