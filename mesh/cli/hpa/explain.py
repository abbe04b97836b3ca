"""`mesh hpa explain`: explains one decision step by step, with the numbers by which an operator can check it."""

from __future__ import annotations

import argparse

from autoscaling.cluster.simulated_decision import find_deployment, last_decision
from autoscaling.explain import explain
from mesh.cli.hpa import explain_result, explain_trace, progress, simulation_arguments
from mesh.cli.hpa.decision_output import print_decision
from mesh.cli.hpa.time_argument import offset_s
from mesh.cli.main import DONE
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Prints the last decision at or before `--at`, from a simulation, a trace or a result."""
    if arguments.trace is not None:
        return explain_trace.run(arguments)
    if arguments.result is not None:
        return explain_result.run(arguments)
    if not arguments.catalogs or not arguments.load or arguments.model is None:
        raise Misconfigured(["explain: give CATALOG, --load and --model; or --trace; or --result and --model"])
    given = simulation_arguments.read(arguments)
    name, number = find_deployment(given, arguments.model, arguments.version)
    _, load = given.games[number]
    at_s = offset_s(arguments.at, load.start_s)
    if not 0 <= at_s <= load.length_s:
        fix = f"give seconds from 0 to {load.length_s:.0f}, or a time of day (the load starts at {load.clock(0)})"
        raise Misconfigured([f"--at {arguments.at}: is outside of the load; {fix}"])
    with progress.shown("simulating") as show:
        found = last_decision(given, name, at_s, show)
    if found is None:
        raise Misconfigured([f"--at {arguments.at}: {name} has made no decision yet; give a time 15 s later"])
    hpa, decision = found
    lines = list(explain(hpa, decision.rationale, load.clock))
    print_decision(name, decision.rationale.at_s, decision.replicas, lines, arguments.json)
    return DONE
