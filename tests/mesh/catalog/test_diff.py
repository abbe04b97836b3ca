"""Comparison of existing HPAs with the HPAs of a catalog."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.catalog.deployment.autoscalers import Autoscaler
from mesh.catalog.deployment.diff import Change, changes


def hpa(name: str = "whales", **spec: Any) -> Autoscaler:
    return Autoscaler("HorizontalPodAutoscaler", name, spec)


def test_equal_hpas_have_no_changes() -> None:
    assert list(changes([hpa(maxReplicas=3)], [hpa(maxReplicas=3)])) == []


def test_each_different_field_is_a_change_with_both_values() -> None:
    now, then = ({"scaleUp": {"policies": [{"value": value, "type": "Pods"}]}} for value in (4, 6))
    found = list(changes([hpa(minReplicas=1, behavior=now)], [hpa(minReplicas=2, behavior=then)]))
    assert found == [
        Change("whales", "minReplicas", "1", "2"),
        Change("whales", "behavior.scaleUp.policies[0].value", "4", "6"),
    ]


def test_field_on_one_side_only_is_a_change() -> None:
    assert list(changes([hpa(minReplicas=1)], [hpa(maxReplicas=9)])) == [
        Change("whales", "maxReplicas", "-", "9"),
        Change("whales", "minReplicas", "1", "-"),
    ]


def test_new_and_removed_hpas_are_reported_with_all_fields() -> None:
    assert list(changes([hpa("old", maxReplicas=1)], [hpa("new", maxReplicas=2)])) == [
        Change("new", "kind", "-", "HorizontalPodAutoscaler"),
        Change("new", "maxReplicas", "-", "2"),
        Change("old", "kind", "HorizontalPodAutoscaler", "-"),
        Change("old", "maxReplicas", "1", "-"),
    ]


@pytest.mark.parametrize(
    ("one", "other"), [("500m", "0.5"), (20, "20"), ("1Ki", 1024), ("2k", "2000"), (0.1, "100m"), ("1e3", "1k")]
)
def test_another_notation_of_a_quantity_is_not_a_change(one: Any, other: Any) -> None:
    assert list(changes([hpa(tolerance=one)], [hpa(tolerance=other)])) == []


def test_different_texts_are_a_change() -> None:
    assert len(list(changes([hpa(container="worker")], [hpa(container="supervisor")]))) == 1
