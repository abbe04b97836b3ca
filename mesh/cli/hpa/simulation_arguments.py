"""Reads the arguments of a simulation; reports faults before the simulation starts."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from datetime import UTC, datetime

from autoscaling.cluster import simulation_input
from autoscaling.cluster.simulation_input import Settings, SimulationInput
from mesh import plot_page
from mesh.cli import console


def read(arguments: argparse.Namespace) -> SimulationInput:
    """Returns the input of a simulation; raises Misconfigured if an argument is wrong."""
    return simulation_input.read(arguments.catalogs, arguments.load, arguments.profile, _settings(arguments))


def remark(arguments: argparse.Namespace) -> str:
    """Returns the assumptions on which the results depend."""
    assumed = "no --profile: assumed model costs; do not use these figures for planning"
    costs = f"costs from {arguments.profile}" if arguments.profile else assumed
    nodes = "nodes have room for all pods" if arguments.cores is None else f"nodes have {arguments.cores:g} cores"
    return f"{costs}; {console.count(arguments.offers, 'offer')} per request; {nodes}; seed {arguments.seed}"


def origin(arguments: Sequence[str]) -> dict[str, str]:
    """Returns the facts of a page that `mesh` writes with these arguments of the command line."""
    return plot_page.origin("mesh", arguments, datetime.now(UTC))


def _settings(arguments: argparse.Namespace) -> Settings:
    return Settings(
        offers=arguments.offers,
        cores=math.inf if arguments.cores is None else arguments.cores,
        image_s=arguments.image_s,
        seed=arguments.seed,
        api_down=tuple(arguments.api_down),
    )
