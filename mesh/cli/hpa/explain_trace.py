"""`mesh hpa explain --trace`: explains the engine's decision at one recorded tick."""

from __future__ import annotations

import argparse
import json

from autoscaling.explain import explain
from autoscaling.traces import trace_file
from autoscaling.traces.replay import decision_at
from autoscaling.traces.trace_hpa import hpa_of, version_of
from mesh.cli import console
from mesh.cli.hpa.time_argument import offset_s
from mesh.cli.main import DONE


def run(arguments: argparse.Namespace) -> int:
    """Prints the explanation of the last tick at or before `--at`."""
    file = arguments.trace
    trace = trace_file.load(file)
    at_s = offset_s(arguments.at, 0.0)
    hpa = hpa_of(trace, version_of(trace, file, arguments.kubernetes), file)
    decision = decision_at(trace, hpa, at_s, file)
    lines = list(explain(hpa, decision.rationale))
    if arguments.json:
        print(json.dumps({"t_s": decision.rationale.at_s, "replicas": decision.replicas, "lines": lines}))
    else:
        out = console.stdout()
        for line in lines:
            console.print_line(out, line)
    return DONE
