"""The output of the Helm chart for a catalog, one file per model, to review and apply without Helm."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import mesh
from mesh.errors import Misconfigured

_CHECKOUT = Path(mesh.__file__).resolve().parents[1]
CHART = _CHECKOUT / "k8s/chart"
TOOLS = _CHECKOUT / "build/go/bin"
KUBERNETES = "1.36"
HEAD = "# Generated from the chart: change the catalog, not this file.\n"
_HELM_S = 60
_SHARED = "shared.yaml"


@dataclass(frozen=True, slots=True)
class Document:
    """One Kubernetes object of a render: its text as the chart wrote it, and the parsed values."""

    text: str
    values: dict[str, Any]

    @property
    def file(self) -> str:
        """The name of the file that the object belongs to: its model's file, or the shared one."""
        labels = self.values["metadata"].get("labels", {})
        if "ensemble-mesh/model" not in labels:
            return _SHARED
        return f"{labels['ensemble-mesh/version']}-{labels['ensemble-mesh/model']}.yaml"


def helm() -> str | None:
    """The path of Helm: $HELM, or helm on the path, or the one from `make k8s-tools`; None if there is none."""
    return shutil.which(os.environ.get("HELM", "helm"), path=search_path())


def search_path() -> str:
    """The search path for programs: the environment's path, then the tools from `make k8s-tools`."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), str(TOOLS)))


def render(
    catalog: Path,
    game: str,
    *more: str,
    namespace: str | None = None,
    chart: Path = CHART,
    kubernetes: str = KUBERNETES,
) -> list[Document]:
    """The output of `helm template` for `catalog`, with the options `more`; the default namespace is the game.

    Raises Misconfigured with Helm's error message.
    """
    program = helm()
    if program is None:
        fix = "install it (https://helm.sh), run `make k8s-tools`, or set $HELM to its path"
        raise Misconfigured([f"helm: not found; {fix}"])
    if not (chart / "Chart.yaml").is_file():
        raise Misconfigured([f"{chart}: is not a chart; give --chart with the folder k8s/chart of a checkout"])
    command = [program, "template", game, str(chart), "--namespace", namespace or game, "--kube-version", kubernetes]
    command.append("--no-hooks")  # a Job cannot be applied twice, and only Helm runs it before the other objects
    try:
        done = subprocess.run(
            [*command, "-f", str(catalog), *more], capture_output=True, text=True, timeout=_HELM_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Misconfigured([f"{program}: cannot be run: {error}; set $HELM to the path of Helm"]) from error
    if done.returncode:
        raise Misconfigured(done.stderr.strip().splitlines())
    return list(documents(done.stdout))


def documents(text: str) -> Iterator[Document]:
    """The objects of a YAML stream, each with its own text, without Helm's `# Source:` comments."""
    for part in text.split("\n---\n"):
        kept = "\n".join(line for line in part.splitlines() if not line.startswith(("---", "# Source: ")))
        values = yaml.safe_load(kept)
        if values:
            yield Document(kept.strip() + "\n", values)


def files(rendered: Sequence[Document], namespace: str) -> dict[str, str]:
    """The files of the folder by name: one per model, one for shared objects, and the kustomization that lists them."""
    parts: dict[str, list[str]] = {}
    for document in rendered:
        parts.setdefault(document.file, []).append(document.text)
    listed = "".join(f"  - {name}\n" for name in sorted(parts))
    kustomization = (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"namespace: {namespace}\nresources:\n{listed}"
    )
    return {
        **{name: HEAD + "---\n".join(texts) for name, texts in parts.items()},
        "kustomization.yaml": HEAD + kustomization,
    }


def write(folder: Path, fresh: dict[str, str]) -> None:
    """Writes the files, and removes generated files that are not among them; raises Misconfigured if it cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.yaml"):
            if old.name not in fresh and old.read_text(encoding="utf-8").startswith("# Generated "):
                old.unlink()
        for name, text in fresh.items():
            (folder / name).write_text(text, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise Misconfigured([f"{folder}: cannot be written: {problem}; give another folder with --to"]) from error
