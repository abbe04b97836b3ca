"""`mesh hpa explain --result`: a decision that a simulation wrote down with its reason."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from mesh.cli.hpa.decision_output import tell_decision
from mesh.cli.hpa.time_argument import moment_s
from mesh.cli.main import DONE
from mesh.errors import Misconfigured


def run(arguments: argparse.Namespace) -> int:
    """Prints the last decision at or before the time that changed the model's replicas."""
    games = _read(arguments.result)
    named = [(game, one) for game in games for one in game["deployments"] if _is(one["name"], arguments)]
    if not named:
        known = ", ".join(one["name"] for game in games for one in game["deployments"])
        raise Misconfigured([f"--model: there is no {arguments.model!r} in {arguments.result}; there are {known}"])
    # A name may end as another does (whales, killer-whales): the shortest has nothing between version and model.
    game, deployment = min(named, key=lambda one: len(one[1]["name"]))
    at_s = moment_s(arguments.at, game["start_s"])
    before = [change for change in deployment["rescales"] if change["at_s"] <= at_s]
    if not before:
        raise Misconfigured([f"--at {arguments.at}: {deployment['name']} had not been scaled yet"])
    change = before[-1]
    tell_decision(deployment["name"], change["at_s"], change["to"], change["why"], arguments.json)
    return DONE


def _is(name: str, arguments: argparse.Namespace) -> bool:
    version = f"-{arguments.version}-" if arguments.version else "-"
    return arguments.model is not None and name.endswith(f"{version}{arguments.model}")


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        games = json.loads(file.read_text(encoding="utf-8"))
        return [{key: game[key] for key in ("start_s", "deployments")} for game in games]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Misconfigured([f"{file}: is no result of `mesh hpa simulate --json`: {error}"]) from error
