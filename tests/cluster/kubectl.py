"""A cluster, and a namespace of it, by what kubectl says of them."""

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
# Enforced, and told of where a Deployment is applied: what is forbidden would else show at its ReplicaSets only.
RESTRICTED = ("pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of a kubeconfig."""

    program: str
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        """For programs that are to talk to it."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def call(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """What becomes of a kubectl command, whatever that is."""
        command = [self.program, *arguments]
        return subprocess.run(
            command, env=self.environment, input=given, capture_output=True, text=True, timeout=CALL_S, check=False
        )

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What a kubectl command that succeeds prints."""
        done = self.call(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def settings(self) -> Values:
        """The part of the kubeconfig that is used, certificates included."""
        told: Values = json.loads(self.run("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
        return told


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace for one test, or for those of one file."""

    cluster: Cluster
    name: str

    def call(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """What becomes of a kubectl command in the namespace."""
        return self.cluster.call("--namespace", self.name, *arguments, given=given)

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What a kubectl command that succeeds in the namespace prints."""
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
        """How many replicas each Deployment is to have."""
        return {one["metadata"]["name"]: one["spec"]["replicas"] for one in self.all("deployments")}

    def ready(self, service: str) -> frozenset[str]:
        """The addresses behind a service that take requests."""
        return frozenset(ready_addresses(self.all("endpointslices", f"kubernetes.io/service-name={service}")))


def ready_addresses(slices: Sequence[Values]) -> list[str]:
    """The addresses (`host:port`) of slices that are ready and will stay."""
    return [
        f"{address}:{port['port']}"
        for one in slices
        for port in one.get("ports") or ()
        if port.get("name") == "grpc"
        for endpoint in one.get("endpoints") or ()
        if endpoint["conditions"].get("ready") and not endpoint["conditions"].get("terminating")
        for address in endpoint["addresses"][:1]
    ]
