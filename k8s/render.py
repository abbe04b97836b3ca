"""`python -m k8s.render`: what the chart makes of the example, one file a model, to review and apply."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from k8s.values import CHART
from mesh.errors import Misconfigured

RENDERED = CHART.parent / "rendered"
EXAMPLE = CHART.parent.parent / "examples/dragonfall/mesh.yaml"
TOOLS = CHART.parent.parent / "build/go/bin"
KUBERNETES = "1.36"
_SHARED = "shared.yaml"


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a render: its text as the chart wrote it, and what the text says."""

    text: str
    values: dict[str, Any]

    @property
    def file(self) -> str:
        """The file that it belongs to: its model's, or the one of what is shared."""
        labels = self.values["metadata"].get("labels", {})
        if "ensemble-mesh/model" not in labels:
            return _SHARED
        return f"{labels['ensemble-mesh/version']}-{labels['ensemble-mesh/model']}.yaml"


def helm() -> str | None:
    """The Helm to render with: $HELM, or the one on the path, or that of `make k8s-tools`."""
    return shutil.which(os.environ.get("HELM", "helm"), path=search_path())


def search_path() -> str:
    """Where programs are looked for: the path, then what `make k8s-tools` has built."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), str(TOOLS)))


def render(catalog: Path, game: str, *more: str) -> list[Document]:
    """What `helm template` makes of `catalog`; raises Misconfigured with what Helm says against it."""
    program = helm()
    if program is None:
        raise Misconfigured(["helm: is not installed; install it (https://helm.sh), or name it in $HELM"])
    command = [program, "template", game, str(CHART), "--namespace", game, "--kube-version", KUBERNETES]
    done = subprocess.run([*command, "-f", str(catalog), *more], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Misconfigured([done.stderr.strip()])
    return list(documents(done.stdout))


def documents(text: str) -> Iterator[Document]:
    """The objects of a YAML stream, each with its own text, without Helm's remarks of where it comes from."""
    for part in text.split("\n---\n"):
        kept = "\n".join(line for line in part.splitlines() if not line.startswith(("---", "# Source: ")))
        values = yaml.safe_load(kept)
        if values:
            yield Document(kept.strip() + "\n", values)


def files(rendered: Sequence[Document], namespace: str) -> dict[str, str]:
    """The folder's files by name: one a model, one of what is shared, and the kustomization that names them."""
    parts: dict[str, list[str]] = {}
    for document in rendered:
        parts.setdefault(document.file, []).append(document.text)
    listed = "".join(f"  - {name}\n" for name in sorted(parts))
    kustomization = (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"namespace: {namespace}\nresources:\n{listed}"
    )
    head = "# Made by `make rendered` from the chart: change the catalog, not this.\n"
    return {
        **{name: head + "---\n".join(texts) for name, texts in parts.items()},
        "kustomization.yaml": head + kustomization,
    }


def example() -> dict[str, str]:
    """The files of k8s/rendered/dragonfall as they should be."""
    offers = f"offers.table={EXAMPLE.parent / 'offers.csv'}"
    return files(render(EXAMPLE, "dragonfall", "--set-file", offers), "dragonfall")


def main() -> int:
    """Writes the example's folder anew."""
    try:
        fresh = example()
    except Misconfigured as error:
        print("\n".join(error.faults), file=sys.stderr)
        return 2
    folder = RENDERED / "dragonfall"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in fresh.items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{folder}: {len(fresh)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
