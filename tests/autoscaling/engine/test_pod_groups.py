"""Groups of pods. Defaults: 300 s of CPU initialization after the start of a pod, 30 s of initial readiness delay."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaling.engine.hpa import Flags
from autoscaling.engine.observation import Pod, Sample
from autoscaling.engine.pod_groups import count_ready_pods, group_pods
from autoscaling.engine.rationale import PodGroups

NOW_S, SAMPLE = 1000.0, Sample(1, 995.0, 15.0)
READY, UNREADY, MISSING, IGNORED = (
    PodGroups(1, (), (), ()),
    PodGroups(0, ("pod",), (), ()),
    PodGroups(0, (), ("pod",), ()),
    PodGroups(0, (), (), ("pod",)),
)


def grouped(*, is_cpu: bool = True, sample: Sample | None = SAMPLE, **fields: Any) -> PodGroups:
    settled = {"start_s": 0.0, "ready": True, "ready_since_s": 10.0}
    values = {} if sample is None else {"pod": sample}
    return group_pods([Pod("pod", **{**settled, **fields})], values, is_cpu, Flags(), NOW_S)


def test_settled_pod_with_a_value_is_ready() -> None:
    assert grouped() == READY


@pytest.mark.parametrize("fields", [{"deleting": True}, {"phase": "Failed"}, {"phase": "Pending", "deleting": True}])
def test_deleted_or_failed_pod_is_ignored_before_all_other_rules(fields: dict[str, Any]) -> None:
    assert grouped(sample=None, **fields) == IGNORED


def test_pending_pod_is_unready_even_without_a_value() -> None:
    assert grouped(phase="Pending", sample=None) == UNREADY


def test_pod_without_a_value_is_missing_even_if_it_is_not_ready() -> None:
    assert grouped(ready=False, sample=None) == MISSING


@pytest.mark.parametrize("fields", [{"ready_since_s": None}, {"start_s": None}])
def test_pod_without_a_ready_condition_or_a_start_time_is_unready_for_cpu_only(fields: dict[str, Any]) -> None:
    assert (grouped(**fields), grouped(is_cpu=False, **fields)) == (UNREADY, READY)


def test_cpu_counts_once_a_whole_window_is_after_the_pod_became_ready() -> None:
    def at(sample_s: float) -> PodGroups:
        return grouped(start_s=900.0, ready_since_s=950.0, sample=Sample(1, sample_s, 15.0))

    assert (at(964.0), at(965.0)) == (UNREADY, READY)


def test_young_pod_that_is_not_ready_is_unready() -> None:
    assert grouped(start_s=900.0, ready=False, ready_since_s=950.0) == UNREADY


def test_pod_is_young_until_exactly_the_end_of_the_initialization_period() -> None:
    young, old = (grouped(start_s=start_s, ready_since_s=999.0) for start_s in (700.5, 700.0))
    assert (young, old) == (UNREADY, READY)


def test_pod_that_was_ready_before_still_counts_when_it_is_not_ready() -> None:
    never, once = (grouped(ready=False, ready_since_s=since_s) for since_s in (29.0, 30.0))
    assert (never, once) == (UNREADY, READY)


def test_unknown_readiness_is_not_treated_as_false() -> None:
    assert grouped(ready=None, ready_since_s=5.0) == READY


def test_only_running_and_ready_pods_count_for_the_value_of_an_object() -> None:
    ready: dict[str, Any] = {"ready": True, "ready_since_s": 0.0}
    found = [Pod("a", **ready), Pod("b", phase="Pending", **ready), Pod("c", ready=False, ready_since_s=0.0), Pod("d")]
    assert count_ready_pods([*found, Pod("e", deleting=True, **ready)]) == 2
