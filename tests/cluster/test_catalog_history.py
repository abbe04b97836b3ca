"""The catalogs that the chart keeps in the cluster: the last three, whatever changes them."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.cluster.kubectl import Namespace
from tests.cluster.releases import WITHOUT_JOBS, Release

GAME = "small"
POINTED = f"{GAME}-catalog"


def catalog(folder: Path, budget_ms: int) -> Path:
    file = folder / f"{budget_ms}.yaml"
    file.write_text(
        f"game: {GAME}\nbudget_ms: {budget_ms}\n"
        "features: {store: dynamodb, table: players, region: eu-west-1}\n"
        "callers: {anyone: true}\nkubernetes: {network_policies: {callers: anyone}}\n"
        'versions: {"1": {models: [{name: whales, uri: "s3://m/w.txt"}]}}\n',
        encoding="utf-8",
    )
    return file


def budget(text: str) -> int:
    """The budget by which a test knows a catalog."""
    return int(yaml.safe_load(text)["budget_ms"])


def history(namespace: Namespace) -> list[int]:
    """The budgets of the catalogs that the followed one names, newest first."""
    names = namespace.get("configmap", POINTED)["data"]["history"].split()
    maps = [namespace.get("configmap", name) for name in names]
    assert all(one["immutable"] for one in maps)
    kept = {one["metadata"]["name"] for one in namespace.all("configmaps", f"ensemble-mesh/game={GAME}")}
    assert kept == {POINTED, *names, f"{GAME}-inputs"}
    return [budget(one["data"]["mesh.yaml"]) for one in maps]


def test_upgrades_keep_the_last_three_catalogs_and_a_rollback_restores_an_older_one(
    helm: str, namespace: Namespace, tmp_path: Path
) -> None:
    release = Release(helm, namespace, GAME)
    release.install(catalog(tmp_path, 301), *WITHOUT_JOBS)
    seen = [history(namespace)]
    for budget_ms in (302, 303, 304, 304, 302):
        release.upgrade(catalog(tmp_path, budget_ms), *WITHOUT_JOBS)
        seen.append(history(namespace))
    assert seen == [[301], [302, 301], [303, 302, 301], [304, 303, 302], [304, 303, 302], [302, 304, 303]]
    release.rollback(1)
    assert budget(namespace.get("configmap", POINTED)["data"]["mesh.yaml"]) == 301
    assert history(namespace) == [301]


def test_catalog_that_was_edited_by_hand_becomes_a_part_of_the_history(
    helm: str, namespace: Namespace, tmp_path: Path
) -> None:
    release = Release(helm, namespace, GAME)
    release.install(catalog(tmp_path, 301), *WITHOUT_JOBS)
    edited = namespace.get("configmap", POINTED)["data"]["mesh.yaml"].replace("301", "999")
    namespace.run("patch", "configmap", POINTED, "--type=merge", "-p", json.dumps({"data": {"mesh.yaml": edited}}))
    release.upgrade(catalog(tmp_path, 302), *WITHOUT_JOBS)
    assert history(namespace) == [302, 999, 301]


def test_supervisors_without_rbac_find_the_earlier_catalogs_in_the_mounted_one(
    helm: str, namespace: Namespace, tmp_path: Path
) -> None:
    release = Release(helm, namespace, GAME)
    by_dns = ("--set", "kubernetes.discovery=dns", *WITHOUT_JOBS)
    release.install(catalog(tmp_path, 301), *by_dns)
    for budget_ms in (302, 303):
        release.upgrade(catalog(tmp_path, budget_ms), *by_dns)
    data = namespace.get("configmap", POINTED)["data"]
    assert {name: budget(text) for name, text in data.items() if name != "history"} == {
        "mesh.yaml": 303,
        "before-1.yaml": 302,
        "before-2.yaml": 301,
    }
