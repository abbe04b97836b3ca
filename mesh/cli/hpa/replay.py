"""`mesh hpa replay`: compares the decisions of the engine with those of a recorded controller."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from autoscaling.traces.replay_report import Replay, as_json, replay_files
from mesh.cli import console
from mesh.cli.main import DONE, FAILED


def run(arguments: argparse.Namespace) -> int:
    """Prints each difference. Exit codes as in diff(1): 0 no difference, 1 differences, 2 error."""
    replays = replay_files(arguments.traces, arguments.kubernetes)
    if arguments.json:
        print(json.dumps(as_json(replays)))
    else:
        _print(replays)
    return FAILED if any(one.differences for one in replays) else DONE


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
    console.print_line(out, _summary(replays, count))


def _summary(replays: Sequence[Replay], count: int) -> str:
    ticks, fields = sum(one.ticks for one in replays), sum(one.fields for one in replays)
    compared = f"{console.count(len(replays), 'trace')}, {console.count(ticks, 'decision')}"
    if not fields:
        return f"{compared}: nothing to compare"
    result = f"{console.count(count, 'difference')}{_doubts(replays)}" if count else "all equal"
    return f"{compared}: {result} ({console.count(fields, 'field')})"


def _doubts(replays: Sequence[Replay]) -> str:
    count = sum(each.doubt is not None for one in replays for each in one.differences)
    return f", {count} of them at ticks in doubt" if count else ""


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else "-" if value is None else json.dumps(value)
