"""Edits YAML text in place: the keys of some mappings change; comments, order and all other text stay."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import yaml

from mesh.catalog import yaml_text
from mesh.catalog.faults import Location, show_path
from mesh.errors import Misconfigured


class _Removed(enum.Enum):
    REMOVED = enum.auto()


REMOVED: Final = _Removed.REMOVED  # in place of a value: removes the key
Change = Mapping[str, Any]


class _Splice(NamedTuple):
    """`text` replaces the characters from `start` up to `stop`."""

    start: int
    stop: int
    text: str


def edit(text: str, changes: Mapping[Location, Change], *, first: bool = False) -> str:
    """Returns `text` with `changes` of the mappings at some places: the new value of each key, or REMOVED.

    New keys take the place of a removed one. Without one, they become the last ones of their mapping, or with `first`
    the first ones. Raises Misconfigured if a place cannot be edited by itself, for example because of an alias.
    """
    root = yaml.compose(text, Loader=yaml_text.Reader)
    splices: list[_Splice] = []
    seen: list[yaml.MappingNode] = []
    for at, change in changes.items():
        mapping = _node(root, at)
        if not isinstance(mapping, yaml.MappingNode) or not mapping.value or any(mapping is one for one in seen):
            raise _by_hand(at)
        seen.append(mapping)
        splices += _splices(text, mapping, change, first)
    edited = text
    for splice in sorted(splices, reverse=True):
        edited = edited[: splice.start] + splice.text + edited[splice.stop :]
    _check(text, edited, changes)
    return edited


def _check(text: str, edited: str, changes: Mapping[Location, Change]) -> None:
    """Raises Misconfigured unless the values of `edited` are those of `text` with `changes`."""
    wanted = _unshared(yaml_text.load(text))
    for at, change in changes.items():
        mapping = wanted
        for step in at:
            mapping = mapping[step if isinstance(step, int) else _key(mapping, step)]
        for key, value in change.items():
            if value is REMOVED:
                del mapping[key]
            else:
                mapping[key] = value
    try:
        found = yaml_text.load(edited)
    except (yaml.YAMLError, ValueError):
        found = None
    if found != wanted:
        raise _by_hand(*changes)


def _unshared(value: Any) -> Any:
    """A copy in which an alias is a value of its own."""
    if isinstance(value, dict):
        return {key: _unshared(one) for key, one in value.items()}
    return [_unshared(one) for one in value] if isinstance(value, list) else value


def _key(mapping: Any, name: str) -> Any:
    """The key of a parsed mapping with `name` as its text: YAML reads some keys as numbers or dates."""
    return name if name in mapping else next(key for key in mapping if str(key) == name)


def _by_hand(*places: Location) -> Misconfigured:
    named = ", ".join(map(show_path, places))
    return Misconfigured([f"{named}: cannot be edited in place (an alias?); change the file by hand"])


def _node(root: yaml.Node | None, at: Location) -> yaml.Node | None:
    for step in at:
        if isinstance(root, yaml.MappingNode):
            root = next((value for key, value in root.value if key.value == step), None)
        elif isinstance(root, yaml.SequenceNode) and isinstance(step, int):
            root = root.value[step]
        else:
            return None
    return root


def _splices(text: str, mapping: yaml.MappingNode, change: Change, first: bool) -> Iterator[_Splice]:
    keys = [key.value for key, _ in mapping.value]
    added = [
        f"{_one_line(key)}: {_one_line(value)}"
        for key, value in change.items()
        if key not in keys and value is not REMOVED
    ]
    for position, (key, value) in enumerate(mapping.value):
        if key.value not in change:
            continue
        if change[key.value] is not REMOVED:
            yield _replaced(text, key, value, change[key.value])
        elif added:
            stop = _end(text, value) if mapping.flow_style else _line_end(text, _end(text, value))
            yield _Splice(key.start_mark.index, stop, _separator(text, mapping).join(added))
            added = []
        else:
            yield _removed(text, mapping, position)
    if added:
        yield _added(text, mapping, added, first)


def _replaced(text: str, key: yaml.Node, value: yaml.Node, new: Any) -> _Splice:
    written = _one_line(new)
    if isinstance(value, yaml.ScalarNode) and value.start_mark.index > key.end_mark.index:
        return _Splice(value.start_mark.index, _end(text, value), written)
    colon = text.index(":", key.end_mark.index) + 1
    return _Splice(colon, _end(text, value), f" {written}")


def _one_line(value: Any) -> str:
    """The text of a key or a value, also valid between braces, where more texts need quotes than in a block."""
    return yaml_text.dump([value], flow=True)[1:-1]


def _removed(text: str, mapping: yaml.MappingNode, position: int) -> _Splice:
    key, value = mapping.value[position]
    if not mapping.flow_style:
        start = text.rfind("\n", 0, key.start_mark.index) + 1
        return _Splice(start, _line_end(text, _end(text, value)) + 1, "")
    if position + 1 < len(mapping.value):
        return _Splice(key.start_mark.index, mapping.value[position + 1][0].start_mark.index, "")
    before = _end(text, mapping.value[position - 1][1]) if position else key.start_mark.index
    return _Splice(before, _end(text, value), "")


def _added(text: str, mapping: yaml.MappingNode, added: Iterable[str], first: bool) -> _Splice:
    separator = _separator(text, mapping)
    if first:
        start = mapping.value[0][0].start_mark.index
        return _Splice(start, start, "".join(line + separator for line in added))
    end = _end(text, mapping.value[-1][1])
    end = end if mapping.flow_style else _line_end(text, end)
    return _Splice(end, end, "".join(separator + line for line in added))


def _separator(text: str, mapping: yaml.MappingNode) -> str:
    """The text between two keys of a mapping."""
    if mapping.flow_style:
        return ", "
    return ("\r\n" if "\r\n" in text else "\n") + " " * int(mapping.value[0][0].start_mark.column)


def _end(text: str, node: yaml.Node) -> int:
    """The end of a node without the line breaks after it: the end mark of a block is the start of the next node."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(text, node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(text, node.value[-1])
    return len(text[: node.end_mark.index].rstrip())


def _line_end(text: str, index: int) -> int:
    """The end of the line at `index`, without its line break."""
    found = text.find("\n", index)
    found = len(text) if found < 0 else found
    return found - 1 if text[found - 1 : found] == "\r" else found
