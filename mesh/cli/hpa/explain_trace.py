"""`mesh hpa explain --trace`: one recorded tick, as the engine decides it."""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

from autoscaling.explain import explain
from autoscaling.traces import observations
from autoscaling.traces import trace_file as traces
from autoscaling.traces.replay import decisions
from autoscaling.traces.trace_file import Trace
from mesh.cli import console
from mesh.cli.hpa.replay import version_of
from mesh.cli.hpa.time_argument import moment_s
from mesh.cli.main import DONE
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Prints the reasoning of the last tick at or before the time that is asked for."""
    trace = traces.load(arguments.trace)
    place = _place(trace, arguments.trace, moment_s(arguments.at, 0.0))
    hpa = observations.rules(trace, version_of(trace, arguments.trace, arguments.kubernetes), arguments.trace)
    decision = next(itertools.islice(decisions(trace, hpa), place, None))
    lines = list(explain(hpa, decision.reasoning))
    if arguments.json:
        print(json.dumps({"t_s": decision.reasoning.at_s, "replicas": decision.replicas, "lines": lines}))
    else:
        out = console.stdout()
        for line in lines:
            console.print_line(out, line)
    return DONE


def _place(trace: Trace, file: Path, at_s: float) -> int:
    places = [place for place, tick in enumerate(trace.ticks) if tick.seen.t_s <= at_s]
    if not places:
        first = f"the first is at {trace.ticks[0].seen.t_s:g} s" if trace.ticks else "it has none"
        raise Misconfigured([f"{file}: no tick at or before {at_s:g} s; {first}"])
    return places[-1]
