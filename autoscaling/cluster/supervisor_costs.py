"""The costs of supervisors: CPU by messages and requests, and the time of a request before the models receive it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscaling.capacity_profile import Profile
from autoscaling.cluster.pods import StartTimes
from mesh.dealing import JOURNEYS_SHARE, MESSAGE_CPU_S

FEATURES_S = 0.001  # most players are in the cache
MEMORY_MB = 90.0
STARTS = StartTimes(load_s=1.0, load_cpu_s=1.0)
MAX_UTILIZATION = 0.98


@dataclass(frozen=True, slots=True)
class SupervisorCosts:
    """CPU of a supervisor: without requests, for each message to a replica and its reply, and for each request."""

    idle_cores: float
    message_cpu_s: float
    request_cpu_s: float


# Without a profile, and with a profile of some models only: measured on two cores, with the example dragonfall.
ASSUMED = SupervisorCosts(idle_cores=0.0054, message_cpu_s=0.00022, request_cpu_s=0.0003)


def supervisor_costs(profile: Profile | None) -> SupervisorCosts:
    """Returns the costs from a profile, or the assumed costs if the profile does not have them."""
    if profile is None or profile.supervisor is None:
        return ASSUMED
    found = profile.supervisor
    return SupervisorCosts(found.idle_cores, found.message_cpu_us / 1e6, found.request_cpu_us / 1e6)


@dataclass(frozen=True, slots=True)
class Journey:
    """The journey of a cohort to the models: `messages` to all of them, `models_cpu_s` of all replicas together.

    `models_s` is the time until the slowest model has answered, if no replica is busy.
    """

    messages: float
    models_cpu_s: float
    models_s: float


@dataclass(frozen=True, slots=True)
class SupervisorLoad:
    """One game's supervisors in one step: cores of each, seconds before the models, and the share of shed requests.

    `cohort` is the mean number of requests in a cohort.
    """

    cores: float
    before_s: float
    shed: float
    cohort: float


class Supervisors:
    """The supervisors of a game: event loops that share `rps` requests per second, on nodes of `cores` cores.

    docs/decisions/0002-cohorts.md has the rules of departure. `cores` is infinite if the nodes are never the limit.
    """

    def __init__(self, costs: SupervisorCosts, count: int, rps: float, cores: float) -> None:
        self._costs = costs
        self._count = count
        self._rps = rps / max(1, count)
        self._cores = cores

    def cohort(self, journey: Journey, last: float) -> float:
        """Returns the mean number of requests in a cohort: those that arrive from one departure to the next.

        The next cohort departs after the gate, or with the first request after the gate. `last` is a first guess.
        """
        arriving = self._rps * self._gate_s(journey, last)
        return arriving + math.exp(-arriving)

    def load(self, journey: Journey, cohort: float) -> SupervisorLoad:
        """Returns the load of the supervisors, if all journeys are like `journey`, with `cohort` requests each."""
        if self._count == 0:
            return SupervisorLoad(0.0, 0.0, 1.0, 1.0)
        gate_s, own_s = self._gate_s(journey, cohort), self._own_s(journey)
        busy = self._costs.idle_cores + self._rps * (self._costs.request_cpu_s + own_s / cohort)
        utilization = min(busy, MAX_UTILIZATION)
        waits_s = self._rps * gate_s**2 / (2 * cohort) + utilization / (2 * (1 - utilization)) * own_s
        shed = max(0.0, 1 - 1 / busy) if busy > 1 else 0.0
        return SupervisorLoad(min(busy, 1.0), FEATURES_S + own_s + waits_s, shed, cohort)

    def _own_s(self, journey: Journey) -> float:
        return self._costs.message_cpu_s * journey.messages

    def _gate_s(self, journey: Journey, cohort: float) -> float:
        """The time from a departure to the next one, if requests wait.

        The next cohort departs when the CPU budget covers its journey, or when no cohort is under way. If the cores are
        the limit, the processes wait for a CPU, and the next cohort departs only when the cohort returns. The models
        rest while the supervisor works for the requests themselves: before the first message and after the last reply.
        """
        own_s = self._own_s(journey)
        alone_s = own_s + journey.models_s
        shared_s = self._count * (own_s + journey.models_cpu_s) / self._cores
        journey_s = FEATURES_S + self._costs.request_cpu_s * cohort + max(alone_s, shared_s)
        if shared_s > alone_s:
            return journey_s
        return min(journey_s, journey.messages * MESSAGE_CPU_S / JOURNEYS_SHARE)
