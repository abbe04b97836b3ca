"""A change of a catalog as a patch of its text: comments and everything else stay as they are."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mesh.errors import Misconfigured


def patched(text: str, changes: Mapping[str, Mapping[str, Any]]) -> str:
    """`text` with `changes` of its models, by version/model, laid over what they say already.

    Raises Misconfigured for a catalog whose models cannot be edited where they stand, as with an alias.
    """
    lines = text.splitlines(keepends=True)
    for position, node in sorted(_models(text, changes), key=lambda one: one[1].start_mark.index, reverse=True):
        lines = _edited(lines, node, changes[position])
    return "".join(lines)


def diff(path: Path, before: str, after: str) -> str:
    """What `patch -p0` and `git apply -p0` take."""
    parts = (before.splitlines(keepends=True), after.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*parts, fromfile=str(path), tofile=str(path)))


def _models(text: str, changes: Mapping[str, Any]) -> list[tuple[str, yaml.MappingNode]]:
    """The nodes of the models that change."""
    found = []
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for version, ensemble in _items(_value(root, "versions")):
        models = _value(ensemble, "models")
        for model in models.value if isinstance(models, yaml.SequenceNode) else ():
            name = f"{version}/{getattr(_value(model, 'name'), 'value', None)}"
            if name in changes and isinstance(model, yaml.MappingNode):
                found.append((name, model))
    if len({id(node) for _, node in found}) < len(changes):
        raise Misconfigured(["the catalog's models cannot be edited where they stand (aliases?); change them by hand"])
    return found


def _edited(lines: list[str], node: yaml.MappingNode, change: Mapping[str, Any]) -> list[str]:
    """`lines` with the model of `node` written anew where it is on one line, else with the changed keys alone."""
    if node.flow_style:
        return _edited_flow(lines, node, change)
    kept = list(lines)
    for key, value in reversed(node.value):
        if key.value in change:
            first, last = key.start_mark.line, _last_line(value)
            kept[first : last + 1] = [_line(kept[first], key.start_mark.column, key.value, change[key.value])]
    fresh = [key for key in change if key not in {key.value for key, _ in node.value}]
    end = max(_last_line(value) for _, value in node.value) + len(kept) - len(lines) + 1
    indent = " " * node.value[0][0].start_mark.column
    kept[end:end] = [f"{indent}{key}: {_flow(change[key])}\n" for key in fresh]
    return kept


def _edited_flow(lines: list[str], node: yaml.MappingNode, change: Mapping[str, Any]) -> list[str]:
    first, last = node.start_mark, node.end_mark
    values = yaml.safe_load("".join(lines)[_offset(lines, first) : _offset(lines, last)])
    anew = _flow({**values, **change})
    whole = lines[first.line][: first.column] + anew + lines[last.line][last.column :]
    return [*lines[: first.line], whole, *lines[last.line + 1 :]]


def _offset(lines: list[str], mark: yaml.Mark) -> int:
    return sum(len(line) for line in lines[: mark.line]) + mark.column


def _line(old: str, column: int, key: str, value: Any) -> str:
    """A key on its own line; what stands before it, as the dash of a list, stays."""
    return f"{old[:column]}{key}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).strip()


def _last_line(node: yaml.Node) -> int:
    """A block's end mark is where the next thing begins."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    return int(node.end_mark.line)


def _items(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    return [(str(key.value), value) for key, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return dict(_items(node)).get(name)
