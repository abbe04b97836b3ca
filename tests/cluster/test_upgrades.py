"""What an upgrade leaves alone: the replicas that an HPA has set, and every pod that is not meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from k8s.render import EXAMPLE
from tests.cluster.kubectl import Namespace, Values
from tests.cluster.releases import Release, until_all_have_pods
from tests.cluster.small_game import SmallGame, deployment
from tests.cluster.test_objects import overlay

SCALED = {deployment("whales"): 3, deployment("asia"): 2, "dragonfall-supervisor": 4}
Upgrade = Callable[[Release, SmallGame], object]


def same_catalog(release: Release, game: SmallGame) -> object:
    return release.upgrade(game.catalog)


def other_target(release: Release, game: SmallGame) -> object:
    return release.upgrade(game.changed(whales={"hpa": {"cpu_percent": 35}, "replicas": {"min": 2, "max": 7}}))


@pytest.mark.parametrize("upgrade", [same_catalog, other_target])
def test_an_upgrade_keeps_the_replicas_that_were_set(release: Release, game: SmallGame, upgrade: Upgrade) -> None:
    game.put_files(release.namespace)
    release.install(game.catalog)
    until_all_have_pods(release.namespace)
    scale(release.namespace)
    upgrade(release, game)
    assert {name: release.namespace.replicas()[name] for name in SCALED} == SCALED


def scale(namespace: Namespace) -> None:
    """As an HPA does, by the Deployments' scale."""
    for name, count in SCALED.items():
        namespace.run("scale", f"deployment/{name}", f"--replicas={count}")


def test_applying_the_render_again_keeps_the_replicas_that_were_set(namespace: Namespace, tmp_path: Path) -> None:
    render = overlay(namespace, tmp_path / "overlay")
    namespace.run("apply", "-k", render)
    until_all_have_pods(namespace)
    scaled = {deployment("whales"): 5, deployment("asia"): 3, "dragonfall-supervisor": 4}
    for name, count in scaled.items():
        namespace.run("scale", f"deployment/{name}", f"--replicas={count}")
    namespace.run("apply", "-k", render)
    assert {name: namespace.replicas()[name] for name in scaled} == scaled


def test_another_hpa_of_one_model_changes_that_hpa_and_starts_no_pod_anew(release: Release, game: SmallGame) -> None:
    game.put_files(release.namespace)
    release.install(game.catalog)
    until_all_have_pods(release.namespace)
    before = wanted(release.namespace)
    other_target(release, game)
    after = wanted(release.namespace)
    assert {key for key in before | after if before.get(key) != after.get(key)} == {
        ("HorizontalPodAutoscaler", deployment("whales"))
    }


def wanted(namespace: Namespace) -> dict[tuple[str, str], Values]:
    """What is wanted of every object: a rollout would show as another Deployment, and as another ReplicaSet."""
    kinds = "deployments,replicasets,hpa,services,poddisruptionbudgets,configmaps,roles,rolebindings,networkpolicies"
    return {
        (one["kind"], one["metadata"]["name"]): {
            key: _without_replicas(value) for key, value in one.items() if key not in ("metadata", "status")
        }
        for one in namespace.all(kinds)
    }


def _without_replicas(value: object) -> object:
    """Without the count, which is the HPA's."""
    return {key: one for key, one in value.items() if key != "replicas"} if isinstance(value, dict) else value


def test_the_example_itself_is_upgraded_without_touching_a_pod(release: Release) -> None:
    release.install(EXAMPLE)
    until_all_have_pods(release.namespace)
    before = wanted(release.namespace)
    release.upgrade(EXAMPLE)
    assert wanted(release.namespace) == before
