"""`mesh hpa replay`: whether the engine decides as a recorded controller did."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autoscaling.engine import versions
from autoscaling.traces import observations
from autoscaling.traces import trace_file as traces
from autoscaling.traces.replay import Difference, compared_fields, differences, is_compared
from autoscaling.traces.trace_file import Trace
from mesh.cli import console
from mesh.cli.main import DONE, FAILED
from mesh.errors import Misconfigured


class Replay(NamedTuple):
    """One file's ticks, and what of them came out otherwise."""

    file: Path
    ticks: int
    fields: int
    differences: list[Difference]


def run(arguments: argparse.Namespace) -> int:
    """Prints each difference; exit codes as diff(1) has them: 0 none, 1 some, 2 it cannot be told."""
    replays = _replays(arguments.traces, arguments.kubernetes)
    if arguments.json:
        print(json.dumps(_summary(replays)))
    else:
        _print(replays)
    return FAILED if any(one.differences for one in replays) else DONE


def version_of(trace: Trace, file: Path, given: str | None) -> versions.Version:
    """The version that `given` or the trace names; raises Misconfigured."""
    if given is None and trace.kubernetes is None:
        return versions.DEFAULT
    try:
        return versions.parse(given or trace.kubernetes or "")
    except ValueError as error:
        raise Misconfigured([f"--kubernetes: {error}" if given else f"{file}: kubernetes: {error}"]) from None


def _replays(files: Sequence[Path], kubernetes: str | None) -> list[Replay]:
    """All files, or every fault of those that cannot be read."""
    found, faults = [], []
    for file in files:
        try:
            trace = traces.load(file)
            hpa = observations.rules(trace, version_of(trace, file, kubernetes), file)
        except Misconfigured as error:
            faults += error.faults
        else:
            ticks = sum(is_compared(trace, one) for one in trace.ticks)
            fields = ticks * len(compared_fields(trace))
            found.append(Replay(file, ticks, fields, list(differences(trace, hpa))))
    if faults:
        raise Misconfigured(list(dict.fromkeys(faults)))
    return found


def _summary(replays: Sequence[Replay]) -> dict[str, Any]:
    listed = [
        {"file": str(one.file), **dataclasses.asdict(difference)} for one in replays for difference in one.differences
    ]
    ticks, fields = sum(one.ticks for one in replays), sum(one.fields for one in replays)
    return {"traces": len(replays), "ticks": ticks, "fields": fields, "differences": listed}


def _print(replays: Sequence[Replay]) -> None:
    out = console.stdout()
    count = sum(len(one.differences) for one in replays)
    if count:
        table = console.table(("trace", "field", "recorded", "computed"), ("t s",))
        for one in replays:
            for each in one.differences:
                row = (one.file.name, each.field, _shown(each.recorded), _shown(each.computed))
                table.add_row(*row, f"{each.t_s:g}")
        out.print(table)
    ticks, fields = sum(one.ticks for one in replays), sum(one.fields for one in replays)
    what = "no difference" if not count else "1 difference" if count == 1 else f"{count} differences"
    console.print_line(out, f"{what} in {fields} fields of {ticks} ticks of {len(replays)} traces{_doubts(replays)}")


def _doubts(replays: Sequence[Replay]) -> str:
    count = sum(each.doubt is not None for one in replays for each in one.differences)
    return f", {count} of them where the recording is in doubt" if count else ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "-" if value is None else json.dumps(value)
