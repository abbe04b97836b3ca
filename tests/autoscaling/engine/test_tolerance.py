"""The tolerance, by version of Kubernetes."""

from __future__ import annotations

import pytest

from autoscaling.engine import versions
from tests.autoscaling.builders import cpu, hpa, observed, proposed, samples


def replicas(target: int, percent: int, version: str, **behavior: object) -> int:
    rules = hpa(cpu(target), version=versions.parse(version), behavior=behavior or None)
    return proposed(rules, observed(10, samples(*[percent * 10] * 10)))


@pytest.mark.parametrize(("target", "percent"), [(50, 55), (60, 66), (70, 77), (80, 88), (100, 110)])
def test_ratio_of_1_1_scales_in_1_32_but_not_since_1_33(target: int, percent: int) -> None:
    assert [replicas(target, percent, version) for version in ("1.32", "1.33", "1.36")] == [11, 10, 10]


@pytest.mark.parametrize("version", ["1.32", "1.36"])
def test_ratio_of_0_9_is_within_the_tolerance_in_all_versions(version: str) -> None:
    assert replicas(50, 45, version) == 10
    assert replicas(50, 44, version) == 9


def test_tolerance_of_the_hpa_is_effective_from_1_35() -> None:
    own = {"scaleUp": {"tolerance": "500m"}, "scaleDown": {"tolerance": 0}}
    assert [replicas(50, 70, version, **own) for version in ("1.32", "1.34", "1.35")] == [14, 14, 10]
    assert [replicas(50, 49, version, **own) for version in ("1.34", "1.35")] == [10, 10]
    assert [replicas(50, 46, version, **own) for version in ("1.34", "1.35")] == [10, 10]
    assert replicas(50, 40, "1.35", **own) == 8


def test_each_direction_has_its_own_tolerance() -> None:
    own = {"scaleDown": {"tolerance": "0.3"}}
    assert (replicas(50, 36, "1.36", **own), replicas(50, 56, "1.36", **own)) == (10, 12)


@pytest.mark.parametrize("text", ["1.36", "v1.36", "1.36.3", "1.36.3-gke.100"])
def test_version_is_parsed_in_all_usual_forms(text: str) -> None:
    assert versions.parse(text) == versions.Version(36)


@pytest.mark.parametrize("text", ["", "36", "2.0", "1.x", "1.29"])
def test_invalid_or_old_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a Kubernetes version|is older than 1\.30"):
        versions.parse(text)
