"""Faults of a catalog file: every one at once, each with its line, its path in the file, and the mend."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mesh.errors import Misconfigured

Step = str | int
Model = TypeVar("Model", bound=BaseModel)

# What a text that does not fit its pattern is, and the mend: by key, and for every name.
_SHAPES = {
    "sha256": ("no sha256", "give 64 hexadecimal digits, small letters"),
    "table": ("no name of a DynamoDB table", "use letters, digits, dots, dashes and underscores, 3 to 255 of them"),
    "region": ("no AWS region", "give one such as eu-west-1"),
    "endpoint_url": ("no address of a server", "give http:// or https:// and the host, such as http://localhost:8000"),
    "image": ("no name of an image", "give REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST"),
    "tolerance": ("no share", "give a number of at least 0, such as 0.1"),
}
_QUANTITIES = frozenset({"cpu", "cpu_limit", "memory", "ephemeral_storage", "rows", "averageValue", "value"})
_QUANTITY = ("no quantity above 0", "give a number, or one with Kubernetes' suffix, such as 500m, 20 or 256Mi")
_NAME = ("not a DNS label", "use small letters, digits and dashes, at most 63 (it becomes a Kubernetes name)")


class _Loader(yaml.SafeLoader):
    """Takes `1e-05` for a number and `y` for a yes, as Helm does that reads and writes catalogs too, and PyYAML not."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]$"), list("yYnN"))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file, where, and what to do about it."""

    file: Path
    line: int
    at: tuple[Step, ...]
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {show_path(self.at)}: {self.problem}; {self.mend}"


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed YAML file: its values, and the line of every path in it."""

    file: Path
    values: Any
    lines: Mapping[tuple[Step, ...], int]

    def fault(self, at: tuple[Step, ...], problem: str, mend: str) -> Fault:
        """A fault at `at`, or for a missing key at the nearest thing above it."""
        known = next(at[:depth] for depth in range(len(at), -1, -1) if at[:depth] in self.lines)
        return Fault(self.file, self.lines[known], at, problem, mend)


def show_path(at: tuple[Step, ...]) -> str:
    """The path as a person writes it: `versions.2026-10.models[3].name`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)
    return text.lstrip(".") or "the file"


def read_tree(path: Path) -> Tree:
    """Reads a YAML file; raises Misconfigured when it cannot be read, is not YAML, or names a key twice."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        values = _Loader(text).get_single_data()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured([f"{path}: cannot be read: {error}; check the path and its permissions"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # PyYAML lets a bad date or number through as it is
        raise Misconfigured([f"{path}: is not YAML: {' '.join(str(error).split())}"]) from error
    lines: dict[tuple[Step, ...], int] = {(): 1}
    try:
        twice = list(_walk(path, node, (), lines))
    except RecursionError:
        raise Misconfigured([f"{path}: holds an alias to something around it; write it out"]) from None
    if twice:
        raise Misconfigured([str(fault) for fault in twice])
    return Tree(path, values, lines)


def _walk(
    path: Path, node: yaml.Node | None, at: tuple[Step, ...], lines: dict[tuple[Step, ...], int]
) -> Iterable[Fault]:
    """Fills `lines`; yields a fault for every key that its mapping already has (YAML would keep the last)."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here, line = (*at, str(key.value)), key.start_mark.line + 1
            if here in lines:
                yield Fault(path, line, here, f"is here twice, first on line {lines[here]}", "remove one")
            lines[here] = line
            yield from _walk(path, value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            lines[(*at, position)] = value.start_mark.line + 1
            yield from _walk(path, value, (*at, position), lines)


def validate(kind: type[Model], tree: Tree, context: Mapping[str, Any]) -> tuple[Model | None, list[Fault]]:
    """The whole of `tree` as `kind`, or None and all its faults."""
    try:
        return kind.model_validate(tree.values, context=dict(context)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [_explain(kind, tree, detail) for detail in details if not _is_echo(detail)]


def salvage(kind: type[Model], values: Any, context: Mapping[str, Any]) -> Model | None:
    """One block without its wrong keys, so that the rest can be checked too; None if too little is left."""
    kept = dict(values) if isinstance(values, dict) else {}
    while True:
        try:
            return kind.model_validate(kept, context=dict(context))
        except ValidationError as error:
            wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]} & kept.keys()
        if not wrong:
            return None
        kept = {key: value for key, value in kept.items() if key not in wrong}


def _is_echo(detail: ErrorDetails) -> bool:
    """Whether this only says that no item of a list is left, where each has a fault of its own."""
    return detail["type"] == "too_short" and bool(detail["input"])


def _place(detail: ErrorDetails) -> tuple[Step, ...]:
    # pydantic marks a fault of a mapping's key, and we mark a block of several kinds, by a step that is no place
    return tuple(step for step in detail["loc"] if not _is_mark(step))


def _is_mark(step: Step) -> bool:
    return isinstance(step, str) and step.startswith("[") and step.endswith("]")


def _explain(kind: type[BaseModel], tree: Tree, detail: ErrorDetails) -> Fault:
    at = _place(detail)
    match detail["type"]:
        case "missing":
            return tree.fault(at, "is missing", "add it")
        case "too_short":
            return tree.fault(at, "is empty", "add at least one")
        case "extra_forbidden":
            return tree.fault(at, "unknown key", _nearest(str(at[-1]), _keys_at(kind, detail["loc"][:-1])))
        case "union_tag_invalid":
            return _unknown_kind(tree, at, detail["ctx"])
        case "string_pattern_mismatch":
            key = str(at[-1])
            problem, mend = _QUANTITY if key in _QUANTITIES else _SHAPES.get(key, _NAME)
            return tree.fault(at, f"{detail['input']!r} is {problem}", mend)
        case "string_type":
            return tree.fault(at, f"{detail['input']!r} is not text", "put it in quotes")
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return tree.fault(at, f"{_brief(detail['input'])} is wrong", message.replace("input ", "it "))


def _unknown_kind(tree: Tree, at: tuple[Step, ...], context: Mapping[str, str]) -> Fault:
    """A block whose kind is not known: the key that tells it is called as the function that reads it."""
    key, tag = context["discriminator"].rstrip("()"), context["tag"].strip("[]")
    mend = f"it should be {context['expected_tags'].replace('[', '').replace(']', '')}"
    return tree.fault((*at, key), "is missing" if tag == "None" else f"{tag!r} is wrong", mend)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _nearest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"


def _keys_at(kind: type[BaseModel], at: tuple[Step, ...]) -> list[str]:
    here: Any = kind
    for step in at:
        block = _block_in(here)
        field = _field(block, step)
        here = _marked(here, step) if _is_mark(step) else block if field is None else field.annotation
    block = _block_in(here)
    return [field.alias or name for name, field in block.model_fields.items()] if _is_block(block) else []


def _field(kind: Any, step: Step) -> FieldInfo | None:
    """The field that `step` names; None for a step to an item: the key of a mapping, a place in a list."""
    fields = kind.model_fields.items() if _is_block(kind) else ()
    return next((field for name, field in fields if step in (name, field.alias)), None)


def _marked(annotation: Any, mark: Step) -> Any:
    """The part of a union that is tagged `mark`."""
    return next((part for part in typing.get_args(annotation) if Tag(str(mark)) in typing.get_args(part)), annotation)


def _is_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _block_in(annotation: Any) -> Any:
    """The block type inside an annotation such as `Offers | None` or `tuple[Model, ...]`."""
    if _is_block(annotation):
        return annotation
    return next((block for part in typing.get_args(annotation) if _is_block(block := _block_in(part))), None)
