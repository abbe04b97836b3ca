"""The cluster of MESH_TEST_KUBECONFIG and its namespaces; if the variable is not set, the tests are skipped.

MESH_TEST_CLUSTER_RUNS_PODS=1 means that the cluster's pods really run the project's images, and that the tests can
reach their addresses. MESH_TEST_API_RESTART and MESH_TEST_KILL are commands: the first one restarts the API server, the
second one kills (SIGKILL) the process of the pod whose namespace and name are its last two arguments.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesh.cli.k8s import chart_output
from tests.cluster import small_game
from tests.cluster.kubectl import RESTRICTED, Cluster, Namespace
from tests.cluster.releases import Release
from tests.cluster.small_game import SmallGame

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    kubeconfig = os.environ.get("MESH_TEST_KUBECONFIG")
    if not kubeconfig:
        pytest.skip("MESH_TEST_KUBECONFIG is not set (see CONTRIBUTING.md)")
    program = shutil.which(os.environ.get("KUBECTL", "kubectl"))
    if program is None:
        pytest.skip("kubectl is not installed; install it, or set $KUBECTL to its path")
    return Cluster(program, Path(kubeconfig).absolute())


@pytest.fixture(scope="session")
def helm(cluster: Cluster) -> str:  # noqa: ARG001 (without a cluster, that is the skip reason)
    program = chart_output.helm()
    if program is None:
        pytest.skip("helm is not installed; install Go and run `make k8s-tools`")
    return program


@pytest.fixture(scope="session")
def running_pods(cluster: Cluster) -> Cluster:
    """The cluster; skips the test if its pods do not run."""
    if os.environ.get("MESH_TEST_CLUSTER_RUNS_PODS") != "1":
        pytest.skip("MESH_TEST_CLUSTER_RUNS_PODS=1 is not set: the cluster's pods may not really run")
    return cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    with temporary(cluster) as made:
        yield made


@pytest.fixture
def release(helm: str, namespace: Namespace) -> Release:
    return Release(helm, namespace, small_game.GAME)


@pytest.fixture(scope="session")
def game(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> SmallGame:  # noqa: ARG001 (as above)
    return small_game.build(tmp_path_factory.mktemp("small-game"))


@contextmanager
def temporary(cluster: Cluster) -> Iterator[Namespace]:
    """A new namespace under Pod Security "restricted"; deleted at the end of the block."""
    made = Namespace(cluster, f"mesh-test-{secrets.token_hex(3)}")
    cluster.run("create", "namespace", made.name)
    try:
        cluster.run("label", "namespace", made.name, *RESTRICTED)
        yield made
    finally:
        cluster.run("delete", "namespace", made.name, "--wait=false")


def command(variable: str, what: str) -> list[str]:
    """The command in an environment variable; skips the test with the reason `what` if it is not set."""
    text = os.environ.get(variable)
    if not text:
        pytest.skip(f"{variable} is not set: {what}")
    return shlex.split(text)
