"""`mesh hpa explain`: one decision step by step, in words and numbers, as an operator would check it by hand."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from autoscaling.cluster.controller import Controlled
from autoscaling.cluster.games import places
from autoscaling.cluster.runs import Input
from autoscaling.cluster.simulation import simulate
from autoscaling.engine.reconciliation import Decision
from autoscaling.explain import explain
from mesh.catalog.deployment.names import model_name, supervisor_name
from mesh.cli.hpa import explain_result, explain_trace, inputs, progress
from mesh.cli.hpa.decision_output import tell_decision
from mesh.cli.hpa.time_argument import moment_s
from mesh.cli.main import DONE
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Simulates up to the moment, or replays what was recorded, and prints the last decision before it."""
    if arguments.trace is not None:
        return explain_trace.run(arguments)
    if arguments.result is not None:
        return explain_result.run(arguments)
    if not arguments.catalogs or not arguments.load or arguments.model is None:
        raise Misconfigured(["explain: needs CATALOG, --load and --model; or --trace, or --result"])
    what = inputs.read(arguments)
    name, number = _deployment(what, arguments.model, arguments.version)
    _, load = what.games[number]
    at_s = moment_s(arguments.at, load.start_s)
    if not 0 <= at_s <= load.length_s:
        raise Misconfigured(
            [f"--at {arguments.at}: is outside of the load, {load.clock(0)} to {load.clock(load.length_s)}"]
        )
    found: list[tuple[Controlled, Decision]] = []

    def watch(one: Controlled, decision: Decision) -> None:
        if one.fleet.name == name and decision.reasoning.at_s <= at_s:
            found[:] = [(one, decision)]

    with progress.shown("simulating") as tell:
        simulate(what.games, what.costs, what.settings, watch=watch, progress=tell, until_s=at_s)
    if not found:
        raise Misconfigured([f"--at {arguments.at}: {name} had not decided yet; ask for 15 s later"])
    (one, decision) = found[0]
    lines = list(explain(one.hpa, decision.reasoning, load.clock))
    tell_decision(name, decision.reasoning.at_s, decision.replicas, lines, arguments.json)
    return DONE


def _deployment(what: Input, model: str, version: str) -> tuple[str, int]:
    """The Deployment's name, and the place of its game; `supervisor` is one, too."""
    known: dict[str, tuple[str, int]] = {}
    for number, (catalog, _) in enumerate(what.games):
        known.setdefault("supervisor", (supervisor_name(catalog.game), number))
        for place in places(catalog):
            if version in ("", place[1]):
                known.setdefault(place[2], (model_name(*place), number))
    if model not in known:
        raise Misconfigured([f"--model: there is no {model!r}; {_listed(list(known))}"])
    return known[model]


def _listed(names: Sequence[str]) -> str:
    return f"there are {', '.join(names[:20])}" + (", ..." if len(names) > 20 else "")
