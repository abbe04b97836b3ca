"""Changes models in the text of a catalog; comments and all other lines stay the same."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mesh.catalog import yaml_text
from mesh.errors import Misconfigured


def apply_changes(text: str, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns `text` with `changes` of its models, by version/model; a change replaces the keys that it contains.

    Raises Misconfigured if a model cannot be edited in place, for example because of an alias.
    """
    lines = text.splitlines(keepends=True)
    for position, node in sorted(_models(text, changes), key=lambda one: one[1].start_mark.index, reverse=True):
        lines = _edited(lines, node, changes[position])
    return "".join(lines)


def unified_diff(path: Path, before: str, after: str) -> str:
    """Returns a diff for `patch -p0` and `git apply -p0`."""
    parts = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*parts, fromfile=str(path), tofile=str(path)))


def _models(text: str, changes: Mapping[str, Any]) -> list[tuple[str, yaml.MappingNode]]:
    """The nodes of the models to change, each with its version/model."""
    found = []
    root = yaml.compose(text, Loader=yaml_text.Reader)
    for version, ensemble in _items(_value(root, "versions")):
        models = _value(ensemble, "models")
        for model in models.value if isinstance(models, yaml.SequenceNode) else ():
            name = f"{version}/{getattr(_value(model, 'name'), 'value', None)}"
            if name in changes and isinstance(model, yaml.MappingNode):
                found.append((name, model))
    if len({id(node) for _, node in found}) < len(changes):
        raise Misconfigured(["the models of the catalog cannot be edited in place (aliases?); change them by hand"])
    return found


def _edited(lines: list[str], node: yaml.MappingNode, change: Mapping[str, Any]) -> list[str]:
    """Returns `lines` with the change: rewrites a model in flow style, otherwise only its changed keys."""
    if node.flow_style:
        return _edited_flow(lines, node, change)
    edited = list(lines)
    for key, value in reversed(node.value):
        if key.value in change:
            first, last = key.start_mark.line, _last_line(value)
            edited[first : last + 1] = [_line(edited[first], key.start_mark.column, key.value, change[key.value])]
    added = [key for key in change if key not in {key.value for key, _ in node.value}]
    end = max(_last_line(value) for _, value in node.value) + len(edited) - len(lines) + 1
    indent = " " * node.value[0][0].start_mark.column
    edited[end:end] = [f"{indent}{key}: {yaml_text.dump(change[key], flow=True)}\n" for key in added]
    return edited


def _edited_flow(lines: list[str], node: yaml.MappingNode, change: Mapping[str, Any]) -> list[str]:
    first, last = node.start_mark, node.end_mark
    values = yaml_text.load("".join(lines)[_offset(lines, first) : _offset(lines, last)])
    changed = yaml_text.dump({**values, **change}, flow=True)
    line = lines[first.line][: first.column] + changed + lines[last.line][last.column :]
    return [*lines[: first.line], line, *lines[last.line + 1 :]]


def _offset(lines: list[str], mark: yaml.Mark) -> int:
    return sum(len(line) for line in lines[: mark.line]) + mark.column


def _line(old: str, column: int, key: str, value: Any) -> str:
    """A line with one key; keeps the text before it, such as the dash of a list."""
    return f"{old[:column]}{key}: {yaml_text.dump(value, flow=True)}\n"


def _last_line(node: yaml.Node) -> int:
    """The last line of `node`. The end mark of a block is the start of the next node."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    return int(node.end_mark.line)


def _items(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    return [(str(key.value), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return dict(_items(node)).get(name)
