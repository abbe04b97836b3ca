"""Upgrades keep the replicas that an HPA has set, and every pod that the change does not concern."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from k8s.render import EXAMPLE
from tests.cluster.kubectl import Namespace, Values
from tests.cluster.releases import WITHOUT_JOBS, Release, until_all_have_pods
from tests.cluster.small_game import SmallGame, deployment
from tests.cluster.test_objects import overlay

SCALED = {deployment("whales"): 3, deployment("asia"): 2, "dragonfall-supervisor": 4}
Upgrade = Callable[[Release, SmallGame], object]


def same_catalog(release: Release, game: SmallGame) -> object:
    return release.upgrade(game.catalog, *WITHOUT_JOBS)


def other_target(release: Release, game: SmallGame) -> object:
    return release.upgrade(
        game.changed({"whales": {"hpa": {"cpu_percent": 35}, "replicas": {"min": 2, "max": 7}}}), *WITHOUT_JOBS
    )


@pytest.mark.parametrize("upgrade", [same_catalog, other_target])
def test_upgrade_keeps_the_scaled_replicas(release: Release, game: SmallGame, upgrade: Upgrade) -> None:
    game.put_files(release.namespace)
    release.install(game.catalog, *WITHOUT_JOBS)
    until_all_have_pods(release.namespace)
    scale(release.namespace)
    upgrade(release, game)
    assert {name: release.namespace.replicas()[name] for name in SCALED} == SCALED


def scale(namespace: Namespace) -> None:
    """Sets the Deployments' scale, as an HPA does."""
    for name, count in SCALED.items():
        namespace.run("scale", f"deployment/{name}", f"--replicas={count}")


def test_reapplied_render_keeps_the_scaled_replicas(namespace: Namespace, tmp_path: Path) -> None:
    render = overlay(namespace, tmp_path / "overlay")
    namespace.run("apply", "-k", render)
    until_all_have_pods(namespace)
    scaled = {deployment("whales"): 5, deployment("asia"): 3, "dragonfall-supervisor": 4}
    for name, count in scaled.items():
        namespace.run("scale", f"deployment/{name}", f"--replicas={count}")
    namespace.run("apply", "-k", render)
    assert {name: namespace.replicas()[name] for name in scaled} == scaled


def test_changed_hpa_of_one_model_restarts_no_pod(release: Release, game: SmallGame) -> None:
    game.put_files(release.namespace)
    release.install(game.catalog, *WITHOUT_JOBS)
    until_all_have_pods(release.namespace)
    before = specs(release.namespace)
    other_target(release, game)
    after = specs(release.namespace)
    assert {key for key in before | after if before.get(key) != after.get(key)} == {
        ("HorizontalPodAutoscaler", deployment("whales"))
    }


def specs(namespace: Namespace) -> dict[tuple[str, str], Values]:
    """Each object without metadata and status: a rollout would show as a changed Deployment and a new ReplicaSet."""
    kinds = "deployments,replicasets,hpa,services,poddisruptionbudgets,configmaps,roles,rolebindings,networkpolicies"
    return {
        (one["kind"], one["metadata"]["name"]): {
            key: _without_replicas(value) for key, value in one.items() if key not in ("metadata", "status")
        }
        for one in namespace.all(kinds)
    }


def _without_replicas(value: object) -> object:
    """`value` without the number of replicas, which the HPA sets."""
    return {key: one for key, one in value.items() if key != "replicas"} if isinstance(value, dict) else value


def test_repeated_upgrade_of_the_example_changes_nothing(release: Release) -> None:
    release.install(EXAMPLE, *WITHOUT_JOBS)
    until_all_have_pods(release.namespace)
    before = specs(release.namespace)
    release.upgrade(EXAMPLE, *WITHOUT_JOBS)
    assert specs(release.namespace) == before
