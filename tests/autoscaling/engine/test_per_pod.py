"""Metrics with one value per pod. Vectors marked (u) are from upstream's replica_calculator_test.go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaling.engine.observation import ApiError, MissingContainer, Pod, Sample
from autoscaling.engine.rationale import NoProposal, PerPodProposal
from tests.autoscaling.builders import (
    cpu,
    cpu_usage,
    custom,
    decide,
    hpa,
    observed,
    pods,
    proposed,
    requests,
    samples,
    worker_cpu,
)


def test_102_percent_of_a_100_percent_target_causes_no_change() -> None:
    """(u) Two containers a pod, requests 0.9, 1.0 and 1.1 each."""
    of = [replace(pod, requests=requests(a=each, b=each)) for pod, each in zip(pods(3), (900, 1000, 1100), strict=True)]
    assert proposed(hpa(cpu(100)), observed(3, samples(2020, 2060, 2040), of=of)) == 3


def test_deleted_pods_do_not_count_in_the_utilization() -> None:
    """(u) 28 % of 50 % over five pods; two more are being deleted."""
    of = [*pods(5), *(Pod(f"pod-{number}", deleting=True, requests=requests()) for number in (5, 6))]
    found = decide(hpa(cpu(50)), observed(5, samples(100, 300, 500, 250, 250, 900, 900), of=of)).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert (found.replicas, found.usage.utilization) == (3, 28)


def test_custom_metric_is_averaged_in_whole_thousandths() -> None:
    """(u) 20666m of 20: within the tolerance."""
    found = decide(hpa(custom("20")), observed(3, samples(20_000, 21_000, 21_000))).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert (found.replicas, found.usage.average_m) == (3, 20_666)


def test_ratio_is_multiplied_in_floats_and_then_rounded_up() -> None:
    """88 / 40 x 25 is 55 exactly, and 55.00000000000001 in the controller's floats."""
    assert proposed(hpa(cpu(40)), observed(25, samples(*[880] * 25))) == 56


def test_utilization_is_truncated_to_whole_percent() -> None:
    assert proposed(hpa(cpu(50)), observed(10, samples(*[559] * 10))) == 10
    assert proposed(hpa(cpu(50)), observed(10, samples(*[560] * 10))) == 12


def test_ratio_is_multiplied_by_ready_pods_not_by_the_scale() -> None:
    assert proposed(hpa(cpu(50)), observed(9, samples(*[1000] * 3), of=pods(3))) == 6


def test_missing_pod_counts_as_busy_when_scaling_down() -> None:
    rules = hpa(cpu(50))
    assert proposed(rules, observed(4, samples(100, 100, 100, 100))) == 1
    assert proposed(rules, observed(4, samples(100, 100, 100), of=pods(4))) == 3


def test_missing_pod_counts_with_a_target_above_100_percent() -> None:
    assert proposed(hpa(cpu(200)), observed(4, samples(1000, 1000, 1000), of=pods(4))) == 3
    assert proposed(hpa(cpu(200)), observed(2, samples(1000), of=pods(2))) == 2


def test_missing_pod_counts_as_idle_when_scaling_up() -> None:
    rules = hpa(cpu(50))
    assert proposed(rules, observed(4, samples(900, 900, 900), of=pods(4))) == 6
    assert proposed(rules, observed(4, samples(900, 900, 900, 900))) == 8


def test_missing_pods_never_reverse_the_direction() -> None:
    found = decide(hpa(cpu(50)), observed(4, samples(700, 700), of=pods(4))).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert (found.verdict, found.replicas) == ("direction reversed", 4)


def test_ratio_below_1_never_scales_up() -> None:
    """There are eight pods, but the scale has four replicas: 0.8 of eight would be more than four."""
    found = decide(hpa(cpu(50)), observed(4, samples(*[300] * 7), of=pods(8))).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert (found.verdict, found.replicas) == ("against direction", 4)


def test_no_value_is_assumed_for_a_missing_pod_at_the_target() -> None:
    found = decide(hpa(cpu(50)), observed(4, samples(500, 500), of=pods(4))).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert (found.adjusted, found.replicas) == (found.usage, 4)


def test_missing_pod_of_a_custom_metric_counts_at_the_target() -> None:
    rules = hpa(custom("10"))
    assert proposed(rules, observed(4, samples(2000, 2000, 2000), of=pods(4))) == 2
    assert proposed(rules, observed(4, samples(30_000, 30_000), of=pods(4))) == 6


def test_starting_pods_are_unready_for_cpu_averages_but_not_for_custom_metrics() -> None:
    """The second pod has never been ready; its 0 counts only for the custom metric."""
    of = [*pods(1), replace(pods(2)[1], start_s=-20.0, ready=False, ready_since_s=-20.0)]
    assert proposed(hpa(cpu_usage("100m")), observed(2, samples(400, 0), of=of)) == 4
    found = decide(hpa(cpu_usage("100m")), observed(2, samples(400, 4000), of=of)).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert found.groups.unready == ("pod-1",)
    found = decide(hpa(custom("100m")), observed(2, samples(400, 0), of=of)).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert found.groups.unready == ()


def test_value_of_an_unknown_pod_counts_in_an_average() -> None:
    """Its request is unknown, so that a utilization does not include it."""
    found = decide(hpa(custom("100m"), cpu(50)), observed(2, samples(90, 90, 900), samples(500, 500, 900))).rationale
    average, share = found.proposals
    assert isinstance(average, PerPodProposal)
    assert isinstance(share, PerPodProposal)
    assert (average.usage.average_m, share.usage.utilization) == (360, 50)


@pytest.mark.parametrize(
    ("metric", "answer", "of", "text"),
    [
        (cpu(), {}, pods(1), "no metrics returned from resource metrics API"),
        (cpu(), ApiError("down"), pods(1), "unable to fetch metrics from resource metrics API: down"),
        (cpu(), samples(1), [], "no pods returned by selector while calculating replica count"),
        (cpu(), samples(1), pods(1, phase="Pending"), "did not receive metrics for targeted pods"),
        (cpu(), samples(1), pods(1, requests=requests(a=None)), "missing request for cpu in container a of Pod pod-0"),
        (cpu(), {"pod-9": Sample(1)}, [Pod("pod-0", "Pending")], "no metrics returned matched known pods"),
        (worker_cpu(), samples(1), pods(1, requests=requests(a=1)), "container worker not found in Pod pod-0"),
        (worker_cpu(), MissingContainer("pod-0"), pods(1), "did not receive metrics for targeted pods"),
        (custom("1"), {}, pods(1), "unable to get metric rows: no metrics returned from custom metrics API"),
        (custom("1"), ApiError("down"), pods(1), "unable to fetch metrics from custom metrics API: down"),
    ],
)
def test_metric_error_gives_no_proposal(metric: dict[str, object], answer: object, of: object, text: str) -> None:
    found = decide(hpa(metric), observed(1, answer, of=of)).rationale.proposals[0]  # type: ignore[arg-type]
    assert isinstance(found, NoProposal)
    assert text in found.text


def test_container_metric_needs_no_request_of_other_containers() -> None:
    of = pods(2, requests=requests(worker=1000, proxy=None))
    assert proposed(hpa(worker_cpu(50)), observed(2, samples(1000, 1000), of=of)) == 4


def test_pods_of_two_templates_use_their_own_requests() -> None:
    of = [*pods(1), *pods(2, requests=requests(worker=3000))[1:]]
    found = decide(hpa(cpu(50)), observed(2, samples(1000, 1000), of=of)).rationale.proposals[0]
    assert isinstance(found, PerPodProposal)
    assert found.usage.utilization == 50
