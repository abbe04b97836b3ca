"""The rules that differ between versions of the HPA controller, each just before and from its version on."""

from __future__ import annotations

import pytest

from autoscaling.engine import versions
from autoscaling.engine.hpa import Hpa
from autoscaling.engine.observation import MissingContainer, Observation
from autoscaling.engine.rationale import NoProposal
from autoscaling.engine.versions import Difference, Version
from autoscaling.traces import observations
from autoscaling.traces.trace_file import PodUsage, RecordedMetrics, TickIn
from tests.autoscaling.builders import (
    cpu,
    decide,
    external,
    hpa,
    observed,
    on_object,
    pods,
    proposed,
    samples,
    worker_cpu,
)

LARGE_M = 214_748_365_000  # 2^31 replicas at 100m each
OVERFLOWN = -(2**31)
EMPTY: dict[str, object] = {}


def by_lag(version: Version) -> int:
    return proposed(hpa(external(averageValue="100m"), version=version), observed(10, [LARGE_M]))


def by_sum_of_averages(version: Version) -> int:
    return proposed(hpa(external(averageValue="1k"), version=version), observed(10, [2**62, 2**62]))


def by_value(version: Version) -> int:
    return proposed(hpa(on_object(value="100m"), version=version), observed(1, LARGE_M, of=pods(1)))


def by_sum(version: Version) -> int:
    return proposed(hpa(external(value="1000000000"), version=version), observed(1, [2**62, 2**62], of=pods(1)))


def by_ratio_of_1_1(version: Version) -> int:
    return proposed(hpa(cpu(50), version=version), observed(10, samples(*[550] * 10)))


def by_own_tolerance(version: Version) -> int:
    behavior = {"scaleUp": {"tolerance": "0.5"}}
    return proposed(hpa(cpu(50), version=version, behavior=behavior), observed(10, samples(*[600] * 10)))


def by_missing_container(version: Version) -> int | None:
    answer = MissingContainer("pod-1", samples(900))
    proposal = decide(hpa(worker_cpu(50), version=version), observed(2, answer, of=pods(2))).rationale.proposals[0]
    return None if isinstance(proposal, NoProposal) else proposal.replicas


CASES = [
    (versions.ONE_SIDED_TOLERANCE, by_ratio_of_1_1, 11, 10),
    (versions.MISSING_CONTAINER_IS_A_MISSING_POD, by_missing_container, None, 2),
    (versions.CAPPED_AVERAGE_VALUE, by_lag, OVERFLOWN, 2**31 - 1),
    (versions.CAPPED_AVERAGE_VALUE, by_sum_of_averages, OVERFLOWN, 2**31 - 1),
    (versions.TOLERANCE_OF_THE_HPA, by_own_tolerance, 12, 10),
    (versions.CAPPED_VALUE, by_value, OVERFLOWN, 2**31 - 1),
    (versions.CAPPED_SUM, by_sum, -9223372, 9223373),
]


@pytest.mark.parametrize(("difference", "replicas", "before", "since"), CASES)
def test_rule_is_effective_from_its_version_on(
    difference: Difference, replicas: object, before: int | None, since: int | None
) -> None:
    assert callable(replicas)
    around = [Version(30), Version(difference.since - 1), Version(difference.since), versions.DEFAULT]
    assert [replicas(version) for version in around] == [before, before, since, since]


def test_every_difference_has_a_source_and_a_test() -> None:
    assert {one for one, *_ in CASES} == set(versions.DIFFERENCES)
    assert all(versions.OLDEST < one.since <= versions.DEFAULT.minor for one in versions.DIFFERENCES)
    assert all(one.source.startswith("kubernetes/") for one in versions.DIFFERENCES)


def test_hpa_at_its_maximum_is_scaled_to_its_minimum_by_an_overflow_before_1_34() -> None:
    """kubernetes#126892: lag 214748365 at a target of 0.1."""

    def replicas(version: str) -> int:
        at_once, version_of = {"scaleDown": {"stabilizationWindowSeconds": 0}}, versions.parse(version)
        rules = hpa(external(averageValue="100m"), version=version_of, maxReplicas=10, behavior=at_once)
        return decide(rules, observed(10, [LARGE_M], of=pods(10))).desired_replicas

    assert [replicas(version) for version in ("1.30", "1.33.4", "1.34", "1.36")] == [1, 1, 10, 10]


def recorded(rules: Hpa, *usages: dict[str, int]) -> Observation:
    resource = {f"pod-{number}": PodUsage(usage_m=one, at_s=0, window_s=15) for number, one in enumerate(usages)}
    tick = TickIn(t_s=0, spec_replicas=2, status_replicas=2, pods=(), metrics=RecordedMetrics(resource=resource))
    return observations.observation(tick, rules)


def test_recorded_pod_without_the_container_keeps_the_samples_of_the_other_pods() -> None:
    (response,) = recorded(hpa(worker_cpu(50)), {"worker": 900}, {"sidecar": 5}).responses
    assert isinstance(response, MissingContainer)
    assert (response.pod, {name: one.value_m for name, one in response.found.items()}) == ("pod-1", {"pod-0": 900})
