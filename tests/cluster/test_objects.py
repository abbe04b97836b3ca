"""The example applied to a cluster: every object is accepted, every pod created, every HPA finds its target."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.render import EXAMPLE, RENDERED
from tests.cluster.kubectl import Cluster, Namespace, Values
from tests.cluster.releases import WITHOUT_JOBS, Release, until_all_have_pods
from tests.cluster.waiting import until

RENDER = RENDERED / "dragonfall"
HPA_S = 60.0  # the controller evaluates an HPA every 15 s
DEPLOYMENTS = 16


def overlay(namespace: Namespace, folder: Path) -> str:
    """Writes a kustomization that applies the committed render to `namespace`; returns its folder."""
    folder.mkdir()
    render = os.path.relpath(RENDER, folder.resolve())
    (folder / "kustomization.yaml").write_text(f"namespace: {namespace.name}\nresources: [{render}]\n")
    return str(folder)


def test_api_server_accepts_every_object_of_the_render(namespace: Namespace, tmp_path: Path) -> None:
    done = namespace.call("apply", "--dry-run=server", "-k", overlay(namespace, tmp_path / "overlay"))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4 * DEPLOYMENTS + 12  # and the shared objects


def test_render_gets_all_its_pods_under_restricted_pod_security(namespace: Namespace, tmp_path: Path) -> None:
    done = namespace.call("apply", "-k", overlay(namespace, tmp_path / "overlay"))
    assert (done.returncode, done.stderr) == (0, "")
    until_all_have_pods(namespace)
    assert len(namespace.all("deployments")) == DEPLOYMENTS


def test_chart_gets_all_its_pods_under_restricted_pod_security(release: Release) -> None:
    assert release.install(EXAMPLE, *WITHOUT_JOBS) == ""
    until_all_have_pods(release.namespace)
    assert len(release.namespace.all("deployments")) == DEPLOYMENTS


def test_every_hpa_finds_its_target_and_no_other(release: Release) -> None:
    release.install(EXAMPLE, *WITHOUT_JOBS)
    scalers = until(lambda: evaluated(release.namespace), HPA_S, "every HPA has been evaluated")
    assert {name: conditions["AbleToScale"] for name, conditions in scalers.items()} == dict.fromkeys(
        release.namespace.replicas(), "True"
    )
    statuses = str([one["status"] for one in release.namespace.all("hpa")])
    assert "FailedGetScale" not in statuses
    assert "AmbiguousSelector" not in statuses


def evaluated(namespace: Namespace) -> dict[str, Values]:
    """The conditions of all HPAs by name; empty until every HPA has been evaluated."""
    scalers = {
        one["metadata"]["name"]: {
            condition["type"]: condition["status"] for condition in one["status"].get("conditions") or ()
        }
        for one in namespace.all("hpa")
    }
    return scalers if all("ScalingActive" in conditions for conditions in scalers.values()) else {}


@pytest.fixture
def _certificate_crd(cluster: Cluster) -> Iterator[None]:
    """The CRD of cert-manager's Certificates, without cert-manager."""
    if cluster.call("get", "crd", "certificates.cert-manager.io").returncode == 0:
        yield
        return
    file = os.environ.get("MESH_TEST_CERTIFICATE_CRD")
    if not file:
        pytest.skip("the cluster has no cert-manager, and MESH_TEST_CERTIFICATE_CRD does not name a file with its CRDs")
    cluster.run("apply", "--server-side", "-f", file)
    cluster.run("wait", "--for=condition=Established", "crd/certificates.cert-manager.io", "--timeout=30s")
    try:
        yield
    finally:
        cluster.run("delete", "crd", "certificates.cert-manager.io", "--wait=false")


@pytest.mark.usefixtures("_certificate_crd")
def test_cert_managers_crd_accepts_every_field_of_the_certificates(release: Release, tmp_path: Path) -> None:
    more = tmp_path / "tls.yaml"
    issuer = "{name: mesh, kind: ClusterIssuer}"
    more.write_text(f"kubernetes: {{tls: {{cert_manager: {{issuer: {issuer}}}}}}}\n", encoding="utf-8")
    assert release.install(EXAMPLE, "--values", str(more), *WITHOUT_JOBS) == ""  # no warning of an unknown field
    found = {one["metadata"]["name"]: one["spec"] for one in release.namespace.all("certificates.cert-manager.io")}
    assert {name: spec["secretName"] for name, spec in found.items()} == {
        f"dragonfall-{part}": f"dragonfall-{part}-tls" for part in ("supervisor", "worker")
    }
    until_all_have_pods(release.namespace)
