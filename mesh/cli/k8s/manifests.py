"""Reads the Kubernetes objects in the files of a folder, and reports everything in it that it cannot use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mesh.bounded_file import read_text
from mesh.catalog.yaml_limits import ManifestLoader
from mesh.errors import Misconfigured

_SUFFIXES = (".yaml", ".yml", ".json")  # JSON is YAML
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PLAIN_KEYS = frozenset({"apiVersion", "kind", "metadata", "namespace", "resources"})
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Manifest:
    """One object of a file; `place` names its file for messages."""

    place: Path
    object: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Manifests:
    """All objects of a folder. `ignored`: a line for each input that is not an object."""

    found: tuple[Manifest, ...]
    ignored: tuple[str, ...]


def read(folder: Path) -> Manifests:
    """Reads all files of `folder` and its subfolders; raises Misconfigured for a file that is not YAML.

    A file may have several documents, and an object may be a list of objects, as `kubectl get -o yaml` prints it.
    Hidden files are not read.
    """
    found: list[Manifest] = []
    ignored: list[str] = []
    others: list[Path] = []
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        if any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue
        if file.name in _KUSTOMIZATIONS:
            ignored += _of_kustomization(file)
        elif file.suffix.lower() in _SUFFIXES:
            for number, document in enumerate(_documents(file), 1):
                objects, problem = _objects(document)
                found += (Manifest(file, one) for one in objects)
                ignored += [f"{file}: document {number} {problem}"] if problem else []
        else:
            others.append(file)
    return Manifests(tuple(found), (*ignored, *_other_files(others)))


def _documents(file: Path) -> list[Any]:
    try:
        text = read_text(file, ManifestLoader.max_bytes, encoding="utf-8-sig")
        return [one for one in yaml.load_all(text, ManifestLoader) if one is not None]
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: not UTF-8, or a bad date
        raise Misconfigured([f"{file}: cannot be read: {' '.join(str(error).split())}; render it again"]) from error


def _objects(document: Any) -> tuple[list[dict[str, Any]], str | None]:
    """Returns the objects of a document, without the lists around them, and the problem of a part that is not one."""
    if not isinstance(document, dict):
        return [], f"is a {'list' if isinstance(document, list) else 'text'}, not a Kubernetes object"
    if not isinstance(document.get("kind"), str):
        return [], "has no kind, so it is not a Kubernetes object"
    if not document["kind"].endswith("List") or ("metadata" in document and "name" in (document["metadata"] or {})):
        return [document], None
    parts = [_objects(item) for item in document.get("items") or ()]
    problem = next((f"has an item that {one}" for _, one in parts if one), None)
    return [one for objects, _ in parts for one in objects], problem


def _of_kustomization(file: Path) -> Iterator[str]:
    (document, *_) = _documents(file) or [{}]
    changing = sorted(set(document) - _PLAIN_KEYS) if isinstance(document, dict) else []
    if changing:
        yield f"{file}: {', '.join(changing)} are not applied; compare the output of `kubectl kustomize` instead"


def _other_files(files: Iterable[Path]) -> Iterator[str]:
    names = [str(one) for one in files]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield f"not read, because the name does not end in {', '.join(_SUFFIXES)}: {', '.join(names[:_SHOWN])}{more}"
