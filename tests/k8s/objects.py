"""Objects of a render, found by kind and name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from k8s.render import RENDERED
from mesh.cli.k8s.chart_output import Document, documents

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one game."""

    all: Sequence[Values]

    def of_kind(self, *kinds: str) -> list[Values]:
        return [one for one in self.all if one["kind"] in kinds]

    def named(self, kind: str, name: str) -> Values:
        (found,) = (one for one in self.of_kind(kind) if one["metadata"]["name"] == name)
        return found

    def names(self, kind: str) -> set[str]:
        return {one["metadata"]["name"] for one in self.of_kind(kind)}

    @property
    def pods(self) -> list[Values]:
        """The pod template of every Deployment."""
        return [one["spec"]["template"] for one in self.of_kind("Deployment")]


def of(rendered: Iterable[Document]) -> Objects:
    return Objects([document.values for document in rendered])


def committed() -> Objects:
    """The objects of k8s/rendered/dragonfall."""
    files = sorted((RENDERED / "dragonfall").glob("*.yaml"))
    texts = (file.read_text(encoding="utf-8") for file in files if file.name != "kustomization.yaml")
    return of(document for text in texts for document in documents(text))
