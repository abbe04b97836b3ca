"""Object and External metrics. Vectors marked (u) are from upstream's replica_calculator_test.go."""

from __future__ import annotations

import pytest

from autoscaling.engine.observation import ApiError
from autoscaling.engine.rationale import NoProposal
from autoscaling.engine.versions import parse
from autoscaling.traces.current_metrics import current_metrics
from tests.autoscaling.builders import decide, external, hpa, observed, on_object, pods, proposed


def test_ratio_to_a_value_is_multiplied_by_ready_pods() -> None:
    """(u) 8600m of 14334m with 5 pods."""
    assert proposed(hpa(external(value="14334m")), observed(5, [8600])) == 3
    assert proposed(hpa(on_object(value="10")), observed(5, 20_000, of=pods(2))) == 4


def test_average_value_divides_the_sum_independently_of_ready_pods() -> None:
    """(u) 8600m at 2867m each; the status shows 1720m."""
    rules, observation = hpa(external(averageValue="2867m")), observed(5, [8600], of=[])
    assert proposed(rules, observation) == 3
    current = {"averageValue": "1720m"}
    assert current_metrics(rules, decide(rules, observation).rationale)[0]["external"]["current"] == current


def test_series_of_an_external_metric_are_summed() -> None:
    assert proposed(hpa(external(value="1")), observed(2, [1000, 2000, 3000])) == 12


def test_average_uses_the_status_of_the_scale_not_its_spec() -> None:
    rules = hpa(external(averageValue="1"))
    assert proposed(rules, observed(3, [4000], status=4)) == 4
    assert proposed(rules, observed(3, [4400], status=4)) == 4
    assert proposed(rules, observed(3, [4500], status=4)) == 5


def test_any_value_above_0_starts_the_first_pod() -> None:
    rules = hpa(external(value="10"), minReplicas=0)
    assert (proposed(rules, observed(0, [1])), proposed(rules, observed(0, [0]))) == (1, 0)
    assert decide(rules, observed(0, [25_000])).replicas == 3


def test_by_a_value_for_one_pod_too() -> None:
    rules = hpa(external(averageValue="10"), minReplicas=0)
    assert (proposed(rules, observed(0, [1])), proposed(rules, observed(0, [0]))) == (1, 0)


def test_zero_replicas_in_the_status_give_nan_in_all_versions() -> None:
    """Both propose 0; the average in the status is the lowest integer of Go."""
    for version in ("1.32", "1.36"):
        rules = hpa(external(averageValue="1"), version=parse(version))
        found = decide(rules, observed(1, [0], status=0)).rationale
        assert current_metrics(rules, found)[0]["external"]["current"] == {"averageValue": "-9223372036854775808m"}


def test_value_at_its_target_causes_no_change_without_counting_pods() -> None:
    assert proposed(hpa(external(value="10")), observed(4, [10_500], of=[])) == 4


def test_value_without_pods_gives_no_proposal() -> None:
    found = decide(hpa(external(value="10")), observed(4, [20_000], of=[])).rationale.proposals[0]
    assert isinstance(found, NoProposal)
    assert found.text.endswith(
        "unable to calculate ready pods: no pods returned by selector while calculating replica count"
    )


def test_empty_response_is_an_error_and_not_zero() -> None:
    found = decide(hpa(external(value="10")), observed(4, [])).rationale.proposals[0]
    assert isinstance(found, NoProposal)
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
def test_api_error_has_the_message_of_the_controller(metric: dict[str, object], text: str) -> None:
    found = decide(hpa(metric), observed(1, ApiError("down"))).rationale.proposals[0]
    assert found == NoProposal(text)


def test_selector_is_formatted_as_go_prints_it() -> None:
    metric = external(value="1")
    expressions = [{"key": "lane", "operator": "In", "values": ["a", "b"]}]
    metric["external"]["metric"]["selector"] = {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": expressions}
    found = decide(hpa(metric), observed(1, ApiError("down"))).rationale.proposals[0]
    assert isinstance(found, NoProposal)
    assert (
        "game/queue/&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelector"
        "Requirement{LabelSelectorRequirement{Key:lane,Operator:In,Values:[a b],},},}:" in found.text
    )


def test_sum_above_the_integer_range_is_capped() -> None:
    assert proposed(hpa(external(value="1m")), observed(2, [2**40])) == 2**31 - 1
    assert proposed(hpa(external(averageValue="1m")), observed(2, [2**63 - 1, 2**63 - 1])) == 2**31 - 1
