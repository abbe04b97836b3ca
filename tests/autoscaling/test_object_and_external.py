"""Object and External metrics. Vectors marked (u) are upstream's, of replica_calculator_test.go."""

from __future__ import annotations

import pytest

from autoscaling.engine.observation import Failed
from autoscaling.engine.rationale import Unknown
from autoscaling.engine.versions import parse
from autoscaling.traces.current_metrics import current_metrics
from tests.autoscaling.builders import decide, external, hpa, on_object, pods, proposed, seen


def test_a_value_for_all_pods_multiplies_the_ready_ones() -> None:
    """(u) 8600m of 14334m with 5 pods."""
    assert proposed(hpa(external(value="14334m")), seen(5, [8600])) == 3
    assert proposed(hpa(on_object(value="10")), seen(5, 20_000, of=pods(2))) == 4


def test_a_value_for_one_pod_divides_the_sum_whoever_is_ready() -> None:
    """(u) 8600m at 2867m each; the status says 1720m."""
    rules, sight = hpa(external(averageValue="2867m")), seen(5, [8600], of=[])
    assert proposed(rules, sight) == 3
    current = {"averageValue": "1720m"}
    assert current_metrics(rules, decide(rules, sight).reasoning)[0]["external"]["current"] == current


def test_the_series_of_an_external_metric_are_summed() -> None:
    assert proposed(hpa(external(value="1")), seen(2, [1000, 2000, 3000])) == 12


def test_the_average_is_over_the_scales_status_not_its_spec() -> None:
    rules = hpa(external(averageValue="1"))
    assert proposed(rules, seen(3, [4000], status=4)) == 4
    assert proposed(rules, seen(3, [4400], status=4)) == 4
    assert proposed(rules, seen(3, [4500], status=4)) == 5


def test_anything_above_nothing_wakes_the_first_pod() -> None:
    rules = hpa(external(value="10"), minReplicas=0)
    assert (proposed(rules, seen(0, [1])), proposed(rules, seen(0, [0]))) == (1, 0)
    assert decide(rules, seen(0, [25_000])).replicas == 3


def test_by_a_value_for_one_pod_too() -> None:
    rules = hpa(external(averageValue="10"), minReplicas=0)
    assert (proposed(rules, seen(0, [1])), proposed(rules, seen(0, [0]))) == (1, 0)


def test_no_pods_in_the_status_is_not_a_number_and_the_rules_differ_on_it() -> None:
    """Both come to 0; the average in the status is Go's lowest integer."""
    for version in ("1.32", "1.36"):
        rules = hpa(external(averageValue="1"), version=parse(version))
        found = decide(rules, seen(1, [0], status=0)).reasoning
        assert current_metrics(rules, found)[0]["external"]["current"] == {"averageValue": "-9223372036854775808m"}


def test_at_its_target_it_stays_without_counting_pods() -> None:
    assert proposed(hpa(external(value="10")), seen(4, [10_500], of=[])) == 4


def test_without_pods_a_value_for_all_is_no_proposal() -> None:
    found = decide(hpa(external(value="10")), seen(4, [20_000], of=[])).reasoning.proposals[0]
    assert isinstance(found, Unknown)
    assert found.text.endswith(
        "unable to calculate ready pods: no pods returned by selector while calculating replica count"
    )


def test_an_empty_answer_is_an_error_and_not_zero() -> None:
    found = decide(hpa(external(value="10")), seen(4, [])).reasoning.proposals[0]
    assert isinstance(found, Unknown)
    assert found.text.endswith("game/queue/nil: no metrics returned from external metrics API")


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (
            on_object(value="1"),
            "failed to get object metric value: unable to get metric requests: Service on game offers/unable to fetch "
            "metrics from custom metrics API: down",
        ),
        (
            on_object(averageValue="1"),
            "failed to get object metric value: failed to get requests object metric: unable to get metric requests: "
            "Service on game offers/unable to fetch metrics from custom metrics API: down",
        ),
        (
            external(value="1"),
            "failed to get queue external metric value: failed to get external metric queue: unable to get external "
            "metric game/queue/nil: unable to fetch metrics from external metrics API: down",
        ),
        (
            external(averageValue="1"),
            "failed to get queue external metric value: failed to get queue external metric: unable to get external "
            "metric game/queue/nil: unable to fetch metrics from external metrics API: down",
        ),
    ],
)
def test_an_api_that_fails_is_told_in_the_controllers_words(metric: dict[str, object], text: str) -> None:
    found = decide(hpa(metric), seen(1, Failed("down"))).reasoning.proposals[0]
    assert found == Unknown(text)


def test_a_selector_is_told_as_go_prints_it() -> None:
    metric = external(value="1")
    expressions = [{"key": "lane", "operator": "In", "values": ["a", "b"]}]
    metric["external"]["metric"]["selector"] = {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": expressions}
    found = decide(hpa(metric), seen(1, Failed("down"))).reasoning.proposals[0]
    assert isinstance(found, Unknown)
    assert (
        "game/queue/&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelector"
        "Requirement{LabelSelectorRequirement{Key:lane,Operator:In,Values:[a b],},},}:" in found.text
    )


def test_more_than_an_integer_holds_is_the_most_it_holds() -> None:
    assert proposed(hpa(external(value="1m")), seen(2, [2**40])) == 2**31 - 1
    assert proposed(hpa(external(averageValue="1m")), seen(2, [2**63 - 1, 2**63 - 1])) == 2**31 - 1
