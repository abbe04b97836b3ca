"""kube-score finds no fault in a render, except the waived ones, each with its reason."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mesh.cli.k8s import chart_output
from tests.k8s import catalogs

WAIVED = {
    "container-image-pull-policy": "our tags never move, and digests cannot: so pods start while the registry is down",
    "deployment-has-host-podantiaffinity": "topologySpreadConstraints spread the pods over nodes and zones",
}
# No CPU limit: a replica may use idle CPU and answers sooner, and the HPA sees more than 100 % of its request.
NO_CPU_LIMIT = "--ignore-container-cpu-limit"


@pytest.fixture(scope="module")
def kube_score() -> str:
    program = shutil.which(os.environ.get("KUBE_SCORE", "kube-score"), path=chart_output.search_path())
    if program is None:
        pytest.skip("kube-score is not installed; install Go and run `make k8s-tools`")
    return program


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("which", ["example", "many"])
def test_kube_score_finds_no_fault(kube_score: str, tmp_path: Path, which: str) -> None:
    for file in [catalogs.EXAMPLE] if which == "example" else catalogs.many(tmp_path):
        rendered = chart_output.render(file, file.stem)
        text = "---\n".join(one.text for one in rendered if not is_of_absent_pods(one.values))
        command = [kube_score, "score", "--kubernetes-version", f"v{chart_output.KUBERNETES}", "-o", "ci", NO_CPU_LIMIT]
        waived = [word for name in WAIVED for word in ("--ignore-test", name)]
        done = subprocess.run(
            [*command, "--exit-one-on-warning", *waived, "-"], input=text, capture_output=True, text=True, timeout=60
        )
        found = [line for line in done.stdout.splitlines() if not line.startswith(("[OK]", "[SKIPPED]"))]
        assert (done.returncode, found) == (0, [])


def is_of_absent_pods(one: dict[str, Any]) -> bool:
    """Whether it is a policy of pods that a render lacks: those of Helm's hooks and of `mesh verify`."""
    name: str = one["metadata"]["name"]
    return one["kind"] == "NetworkPolicy" and name.endswith(("-jobs", "-verify"))
