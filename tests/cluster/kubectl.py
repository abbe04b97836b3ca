"""Access to a cluster and to one namespace, by kubectl."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Values = dict[str, Any]
CALL_S = 60.0
# With `warn`, the apply of a Deployment reports forbidden pods; with `enforce` alone, only its ReplicaSet does.
RESTRICTED = ("pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of a kubeconfig."""

    program: str
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment for programs that access the cluster."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def call(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a kubectl command; returns the result, also of a failed command."""
        command = [self.program, *arguments]
        return subprocess.run(
            command, env=self.environment, input=given, capture_output=True, text=True, timeout=CALL_S, check=False
        )

    def run(self, *arguments: str, given: str | None = None) -> str:
        """Runs a kubectl command that must succeed; returns its output."""
        done = self.call(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def settings(self) -> Values:
        """The used part of the kubeconfig, with the certificates."""
        settings: Values = json.loads(self.run("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
        return settings


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace for one test, or for all tests of a file."""

    cluster: Cluster
    name: str

    def call(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a kubectl command in the namespace; returns the result, also of a failed command."""
        return self.cluster.call("--namespace", self.name, *arguments, given=given)

    def run(self, *arguments: str, given: str | None = None) -> str:
        """Runs a kubectl command in the namespace that must succeed; returns its output."""
        return self.cluster.run("--namespace", self.name, *arguments, given=given)

    def all(self, kind: str, selector: str = "") -> list[Values]:
        """The objects of a kind."""
        chosen = ["--selector", selector] if selector else []
        found: list[Values] = json.loads(self.run("get", kind, *chosen, "-o", "json"))["items"]
        return found

    def get(self, kind: str, name: str) -> Values:
        """One object."""
        found: Values = json.loads(self.run("get", kind, name, "-o", "json"))
        return found

    def replicas(self) -> dict[str, int]:
        """The replicas that each Deployment should have, by its name."""
        return {one["metadata"]["name"]: one["spec"]["replicas"] for one in self.all("deployments")}

    def ready(self, service: str) -> frozenset[str]:
        """The ready addresses (`host:port`) of a Service."""
        return frozenset(ready_addresses(self.all("endpointslices", f"kubernetes.io/service-name={service}")))


def ready_addresses(slices: Sequence[Values]) -> list[str]:
    """The addresses (`host:port`) in `slices` that are ready and not terminating."""
    return [
        f"{address}:{port['port']}"
        for one in slices
        for port in one.get("ports") or ()
        if port.get("name") == "grpc"
        for endpoint in one.get("endpoints") or ()
        if endpoint["conditions"].get("ready") and not endpoint["conditions"].get("terminating")
        for address in endpoint["addresses"][:1]
    ]
