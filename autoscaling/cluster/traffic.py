"""The traffic of a game in one step: the cohorts of its supervisors, and the messages that they become.

A larger cohort makes a longer journey, and in a longer journey a larger cohort gathers. A few rounds find the balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaling.cluster.ensemble import Messages
from autoscaling.cluster.games import SimulatedGame, SimulatedVersion
from autoscaling.cluster.queueing_model import Counts, Floats
from autoscaling.cluster.supervisor_costs import Journey, SupervisorLoad, Supervisors
from mesh.dealing import MAX_COHORT_REQUESTS, MAX_COHORT_ROWS

ROUNDS = 8
CLOSE = 0.001  # relative


@dataclass(frozen=True, slots=True)
class Traffic:
    """The load of the supervisors, and the messages of each version."""

    supervisors: SupervisorLoad
    messages: Sequence[Messages]


def traffic_of(
    game: SimulatedGame, rps: float, count: int, servers: Sequence[Counts], rows: int, cores: float
) -> Traffic:
    """Returns the traffic at `rps` with `count` supervisors; `servers` [models] are the ready replicas of each version.

    A request has `rows` rows. `cores` are those of all nodes.
    """
    supervisors = Supervisors(game.supervisor_costs, count, rps, cores)
    most = max(1.0, min(MAX_COHORT_REQUESTS, MAX_COHORT_ROWS / rows))
    cohort = 1.0
    for _ in range(ROUNDS):
        messages, journey = _at(game, rps, cohort, servers)
        last, cohort = cohort, min(supervisors.cohort(journey, cohort), most)
        if abs(cohort - last) < CLOSE * last:
            break
    load = supervisors.load(journey, cohort)
    if load.shed:
        messages, _ = _at(game, rps * (1 - load.shed), cohort, servers)
    return Traffic(load, messages)


def _at(game: SimulatedGame, rps: float, cohort: float, servers: Sequence[Counts]) -> tuple[list[Messages], Journey]:
    """The messages of each version, and the journey of an average cohort, with cohorts of `cohort` requests."""
    cohorts = [_cohort_of(version, game.versions, cohort) for version in game.versions]
    parts = list(zip(game.versions, cohorts, servers, strict=True))
    messages = [version.queues.messages(rps * version.asked, size, ready) for version, size, ready in parts]
    journeys = [
        version.queues.journey(size, one, _weights(version))
        for (version, size, _), one in zip(parts, messages, strict=True)
    ]
    return messages, _mean(journeys, [one.share for one in game.versions])


def _cohort_of(version: SimulatedVersion, versions: Sequence[SimulatedVersion], cohort: float) -> Floats:
    """The requests of a cohort that each model of a version gets, if a departure leaves with `cohort` on average.

    A departure takes the requests of the versions of one group: with n equal groups, each departs every n-th time.
    """
    effective = 1 / sum(one.share * one.group for one in versions)
    size = max(1.0, cohort * effective * version.group)
    return size * (version.asked / version.group) if version.group else np.full(len(version.asked), size)


def _weights(version: SimulatedVersion) -> Floats:
    """Weights of the messages of each model, so that their mean over a group counts every model once."""
    if not version.share:
        return np.ones(len(version.asked))
    return np.where(version.asked > version.share, 1.0, version.group / version.share)


def _mean(journeys: Sequence[Journey], shares: Sequence[float]) -> Journey:
    return Journey(
        *(
            sum(share * getattr(one, name) for share, one in zip(shares, journeys, strict=True)) / sum(shares)
            for name in ("messages", "models_cpu_s", "models_s")
        )
    )
