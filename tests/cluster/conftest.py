"""The cluster that MESH_TEST_KUBECONFIG names, and namespaces of it; without one the tests are skipped.

MESH_TEST_CLUSTER_RUNS_PODS=1 says that its pods really run the project's images, and that the tests can reach their
addresses. MESH_TEST_API_RESTART and MESH_TEST_KILL are commands: one ends the API server and starts it again, the other
kills (SIGKILL) the process of the pod whose namespace and name are its last two arguments.
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

from k8s import render
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
        pytest.skip("MESH_TEST_KUBECONFIG names no cluster (see CONTRIBUTING.md)")
    program = shutil.which(os.environ.get("KUBECTL", "kubectl"))
    if program is None:
        pytest.skip("kubectl is not installed, and $KUBECTL names none")
    return Cluster(program, Path(kubeconfig).absolute())


@pytest.fixture(scope="session")
def helm(cluster: Cluster) -> str:  # noqa: ARG001 (without a cluster it is that which is told)
    program = render.helm()
    if program is None:
        pytest.skip("helm is not installed: `make k8s-tools` installs it where Go is")
    return program


@pytest.fixture(scope="session")
def running_pods(cluster: Cluster) -> Cluster:
    """A cluster whose pods run."""
    if os.environ.get("MESH_TEST_CLUSTER_RUNS_PODS") != "1":
        pytest.skip("MESH_TEST_CLUSTER_RUNS_PODS=1 is not set: the cluster's pods may be played")
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
    """A namespace under Pod Security "restricted", for as long as the block lasts."""
    made = Namespace(cluster, f"mesh-test-{secrets.token_hex(3)}")
    cluster.run("create", "namespace", made.name)
    try:
        cluster.run("label", "namespace", made.name, *RESTRICTED)
        yield made
    finally:
        cluster.run("delete", "namespace", made.name, "--wait=false")


def command(variable: str, what: str) -> list[str]:
    """The command in an environment variable; skips the test where there is none."""
    told = os.environ.get(variable)
    if not told:
        pytest.skip(f"{variable} is not set: {what}")
    return shlex.split(told)
