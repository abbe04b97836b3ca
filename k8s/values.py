"""`python -m k8s.values`: writes the chart's default values and their schema from the catalog's types."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mesh.catalog import catalog
from mesh.catalog.deployment.blocks import Kubernetes, SupervisorDeployment, WorkerDeployment

CHART = Path(__file__).parent / "chart"
_HEAD = """\
# The defaults of the catalog's keys for the cluster. `make chart` generates this file from mesh/catalog/deployment.
# Use a game's catalog as the values file: helm install GAME k8s/chart -f mesh.yaml
# The keys before `supervisor` apply to every model. A version can override them, and a model can override both.
"""


def values() -> str:
    """The text of values.yaml."""
    blocks = [
        *_fields(WorkerDeployment),
        *_block("supervisor", SupervisorDeployment, 0),
        *_block("kubernetes", Kubernetes, 0),
    ]
    return _HEAD + "\n".join(blocks) + "\n"


def schema() -> str:
    """The text of values.schema.json."""
    text = {"$schema": "https://json-schema.org/draft/2020-12/schema", **catalog.schema()}
    return json.dumps(text, indent=1) + "\n"


def files() -> dict[Path, str]:
    """The text of each file to write, by path."""
    return {CHART / "values.yaml": values(), CHART / "values.schema.json": schema()}


def _block(name: str, block: type[BaseModel], depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}# {_first_line(block)}"
    yield f"{'  ' * depth}{name}:"
    yield from _fields(block, depth + 1)


def _fields(block: type[BaseModel], depth: int = 0) -> Iterator[str]:
    for name, field in block.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if isinstance(value, BaseModel) and not value.model_fields_set:
            yield from _block(name, type(value), depth)
        else:
            yield from _line(field.alias or name, field, value, "  " * depth)


def _line(name: str, field: FieldInfo, value: Any, indent: str) -> Iterator[str]:
    if field.description:
        yield f"{indent}# {field.description}"
    if value is None:  # in Helm, null removes a key
        yield f"{indent}# {name}:"
        return
    plain = value.model_dump(mode="json", by_alias=True, exclude_none=True) if isinstance(value, BaseModel) else value
    plain = list(plain) if isinstance(plain, tuple) else plain
    flow = None if isinstance(plain, list | dict) else False  # None: flow style only for collections of scalars
    text = yaml.safe_dump({name: plain}, sort_keys=False, default_flow_style=flow, width=100)
    yield "\n".join(indent + line for line in text.splitlines())


def _first_line(block: type[BaseModel]) -> str:
    return (block.__doc__ or "").splitlines()[0]


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m k8s.values", description=__doc__).parse_args()
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
