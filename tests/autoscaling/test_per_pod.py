"""Metrics that each pod has. Vectors marked (u) are upstream's, of replica_calculator_test.go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaling.engine.observation import Failed, LacksContainer, Pod, Sample
from autoscaling.engine.rationale import PerPod, Unknown
from tests.autoscaling.builders import (
    cpu,
    cpu_usage,
    custom,
    decide,
    hpa,
    pods,
    proposed,
    requests,
    samples,
    seen,
    worker_cpu,
)


def test_102_percent_of_100_stays() -> None:
    """(u) Two containers a pod, requests 0.9, 1.0 and 1.1 each."""
    of = [replace(pod, requests=requests(a=each, b=each)) for pod, each in zip(pods(3), (900, 1000, 1100), strict=True)]
    assert proposed(hpa(cpu(100)), seen(3, samples(2020, 2060, 2040), of=of)) == 3


def test_deleted_pods_are_no_part_of_the_share() -> None:
    """(u) 28 % of 50 % over five pods; two more are being deleted."""
    of = [*pods(5), *(Pod(f"pod-{number}", deleting=True, requests=requests()) for number in (5, 6))]
    found = decide(hpa(cpu(50)), seen(5, samples(100, 300, 500, 250, 250, 900, 900), of=of)).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert (found.replicas, found.share.utilization) == (3, 28)


def test_a_custom_metric_is_averaged_in_whole_thousandths() -> None:
    """(u) 20666m of 20: within the tolerance."""
    found = decide(hpa(custom("20")), seen(3, samples(20_000, 21_000, 21_000))).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert (found.replicas, found.share.average_m) == (3, 20_666)


def test_the_ratio_is_multiplied_in_floats_and_then_rounded_up() -> None:
    """88 / 40 x 25 is 55 exactly, and 55.00000000000001 in the controller's floats."""
    assert proposed(hpa(cpu(40)), seen(25, samples(*[880] * 25))) == 56


def test_utilization_is_cut_to_whole_percent() -> None:
    assert proposed(hpa(cpu(50)), seen(10, samples(*[559] * 10))) == 10
    assert proposed(hpa(cpu(50)), seen(10, samples(*[560] * 10))) == 12


def test_ready_pods_are_multiplied_not_the_scale() -> None:
    assert proposed(hpa(cpu(50)), seen(9, samples(*[1000] * 3), of=pods(3))) == 6


def test_going_down_a_missing_pod_counts_as_busy() -> None:
    rules = hpa(cpu(50))
    assert proposed(rules, seen(4, samples(100, 100, 100, 100))) == 1
    assert proposed(rules, seen(4, samples(100, 100, 100), of=pods(4))) == 3


def test_a_missing_pod_is_as_busy_as_a_target_above_100_percent() -> None:
    assert proposed(hpa(cpu(200)), seen(4, samples(1000, 1000, 1000), of=pods(4))) == 3
    assert proposed(hpa(cpu(200)), seen(2, samples(1000), of=pods(2))) == 2


def test_going_up_a_missing_pod_counts_as_idle() -> None:
    rules = hpa(cpu(50))
    assert proposed(rules, seen(4, samples(900, 900, 900), of=pods(4))) == 6
    assert proposed(rules, seen(4, samples(900, 900, 900, 900))) == 8


def test_doubtful_pods_never_turn_the_direction() -> None:
    found = decide(hpa(cpu(50)), seen(4, samples(700, 700), of=pods(4))).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert (found.verdict, found.replicas) == ("turned", 4)


def test_a_small_share_of_many_pods_does_not_go_against_its_direction() -> None:
    """Eight pods are there while the scale asks for four: 0.8 of eight would be more than four."""
    found = decide(hpa(cpu(50)), seen(4, samples(*[300] * 7), of=pods(8))).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert (found.verdict, found.replicas) == ("held", 4)


def test_at_its_target_nothing_stands_in_for_a_missing_pod() -> None:
    found = decide(hpa(cpu(50)), seen(4, samples(500, 500), of=pods(4))).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert (found.again, found.replicas) == (found.share, 4)


def test_a_missing_pod_of_a_custom_metric_stands_at_the_target() -> None:
    rules = hpa(custom("10"))
    assert proposed(rules, seen(4, samples(2000, 2000, 2000), of=pods(4))) == 2
    assert proposed(rules, seen(4, samples(30_000, 30_000), of=pods(4))) == 6


def test_an_average_of_cpu_knows_starting_pods_and_a_custom_metric_does_not() -> None:
    """The second pod has not been ready yet; its 0 counts only for the custom metric."""
    of = [*pods(1), replace(pods(2)[1], start_s=-20.0, ready=False, ready_since_s=-20.0)]
    assert proposed(hpa(cpu_usage("100m")), seen(2, samples(400, 0), of=of)) == 4
    found = decide(hpa(cpu_usage("100m")), seen(2, samples(400, 4000), of=of)).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert found.groups.unready == ("pod-1",)
    found = decide(hpa(custom("100m")), seen(2, samples(400, 0), of=of)).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert found.groups.unready == ()


def test_a_value_of_a_pod_that_nobody_knows_counts_in_an_average() -> None:
    """Its request is not known: a utilization leaves it out of the share."""
    found = decide(hpa(custom("100m"), cpu(50)), seen(2, samples(90, 90, 900), samples(500, 500, 900))).reasoning
    average, share = found.proposals
    assert isinstance(average, PerPod)
    assert isinstance(share, PerPod)
    assert (average.share.average_m, share.share.utilization) == (360, 50)


@pytest.mark.parametrize(
    ("metric", "answer", "of", "text"),
    [
        (cpu(), {}, pods(1), "no metrics returned from resource metrics API"),
        (cpu(), Failed("down"), pods(1), "unable to fetch metrics from resource metrics API: down"),
        (cpu(), samples(1), [], "no pods returned by selector while calculating replica count"),
        (cpu(), samples(1), pods(1, phase="Pending"), "did not receive metrics for targeted pods"),
        (cpu(), samples(1), pods(1, requests=requests(a=None)), "missing request for cpu in container a of Pod pod-0"),
        (cpu(), {"pod-9": Sample(1)}, [Pod("pod-0", "Pending")], "no metrics returned matched known pods"),
        (worker_cpu(), samples(1), pods(1, requests=requests(a=1)), "container worker not found in Pod pod-0"),
        (worker_cpu(), LacksContainer("pod-0"), pods(1), "container worker not present in metrics for pod game/pod-0"),
        (custom("1"), {}, pods(1), "unable to get metric rows: no metrics returned from custom metrics API"),
        (custom("1"), Failed("down"), pods(1), "unable to fetch metrics from custom metrics API: down"),
    ],
)
def test_what_cannot_be_measured_is_no_proposal(
    metric: dict[str, object], answer: object, of: object, text: str
) -> None:
    found = decide(hpa(metric), seen(1, answer, of=of)).reasoning.proposals[0]  # type: ignore[arg-type]
    assert isinstance(found, Unknown)
    assert text in found.text


def test_a_named_container_needs_no_request_of_its_neighbour() -> None:
    of = pods(2, requests=requests(worker=1000, proxy=None))
    assert proposed(hpa(worker_cpu(50)), seen(2, samples(1000, 1000), of=of)) == 4


def test_pods_of_two_templates_are_summed_by_their_own_requests() -> None:
    of = [*pods(1), *pods(2, requests=requests(worker=3000))[1:]]
    found = decide(hpa(cpu(50)), seen(2, samples(1000, 1000), of=of)).reasoning.proposals[0]
    assert isinstance(found, PerPod)
    assert found.share.utilization == 50
