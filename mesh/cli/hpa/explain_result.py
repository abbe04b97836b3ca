"""`mesh hpa explain --result`: prints a decision that `mesh hpa simulate --json` has explained."""

from __future__ import annotations

import argparse

from autoscaling.cluster import result_json
from mesh.cli.hpa.decision_output import print_decision
from mesh.cli.hpa.time_argument import offset_s
from mesh.cli.main import DONE
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Prints the last rescale of the model at or before `--at`."""
    games = result_json.read(arguments.result)
    game, deployment = result_json.find_deployment(games, arguments.result, arguments.model, arguments.version)
    rescale = result_json.last_rescale(deployment, offset_s(arguments.at, game["start_s"]))
    if rescale is None:
        raise Misconfigured([f"--at {arguments.at}: {deployment['name']} has no rescale before; give a later time"])
    print_decision(deployment["name"], rescale["at_s"], rescale["to"], rescale["why"], arguments.json)
    return DONE
