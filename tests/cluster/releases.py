"""Installs games in a cluster as operators do: by Helm, with the catalog as the values file."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from k8s.values import CHART
from tests.cluster.kubectl import Namespace
from tests.cluster.waiting import until

HELM_S = 110.0
# For clusters in which nothing runs in the pods, and for the example, whose files they do not have.
WITHOUT_JOBS = ("--set", "kubernetes.check=false", "--set", "kubernetes.start_at_min=false")
CREATED_S = 60.0


@dataclass(frozen=True, slots=True)
class Release:
    """The Helm release of a game; `helm` is the program's path."""

    helm: str
    namespace: Namespace
    game: str

    def install(self, catalog: Path, *more: str) -> str:
        """Installs the release; returns Helm's warnings."""
        return self._run("install", catalog, *more)

    def upgrade(self, catalog: Path, *more: str) -> str:
        """Upgrades the release; returns Helm's warnings."""
        return self._run("upgrade", catalog, *more)

    def rollback(self, revision: int = 0) -> str:
        """Goes back to a revision, 0: the one before; returns Helm's warnings."""
        return self._call("rollback", self.game, str(revision))

    def _run(self, verb: str, catalog: Path, *more: str) -> str:
        return self._call(verb, self.game, str(CHART), "--values", str(catalog), *more)

    def _call(self, *words: str) -> str:
        command = [self.helm, *words, "--namespace", self.namespace.name]
        environment = self.namespace.cluster.environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HELM_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr


def all_have_pods(namespace: Namespace) -> bool:
    """Whether every Deployment has all its pods; the cluster never creates forbidden pods."""
    deployments = namespace.all("deployments")
    return bool(deployments) and all(
        one.get("status", {}).get("replicas", 0) >= one["spec"]["replicas"] for one in deployments
    )


def until_all_have_pods(namespace: Namespace) -> None:
    """Waits until all Deployments have their pods; on failure, the error shows the ReplicaSets' conditions."""
    try:
        until(lambda: all_have_pods(namespace), CREATED_S, "every Deployment has its pods")
    except AssertionError as error:
        conditions = [one["status"].get("conditions") for one in namespace.all("replicasets")]
        raise AssertionError(f"{error}: {[one for one in conditions if one]}") from None
