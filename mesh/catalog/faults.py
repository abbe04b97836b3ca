"""Faults of a catalog file: all at once, each with its line, its path in the file, the problem and the fix."""

from __future__ import annotations

import datetime
import difflib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mesh.catalog import yaml_text
from mesh.errors import Misconfigured, unreadable

Step = str | int  # a key, or a position in a list
Location = tuple[Step, ...]
_Block = TypeVar("_Block", bound=BaseModel)

# The problem and the fix for a text that does not match its pattern, by key; `_NAME` is for all other keys.
_SHAPES = {
    "sha256": ("not a SHA-256", "give 64 lower-case hexadecimal digits"),
    "table": ("not a DynamoDB table name", "use 3 to 255 letters, digits, dots, dashes and underscores"),
    "region": ("not an AWS region", "give a region such as eu-west-1"),
    "endpoint_url": ("not a server URL", "give http:// or https:// and the host, such as http://localhost:8000"),
    "image": ("not an image name", "give REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST"),
    "start": ("not a time with a zone", "give a time such as 2026-12-01T10:00:00Z"),
    "tolerance": ("not a tolerance", "give a number of at least 0, such as 0.1"),
}
_QUANTITIES = frozenset({"cpu", "cpu_limit", "memory", "ephemeral_storage", "rows", "averageValue", "value"})
_QUANTITY = ("not a quantity above 0", "give a number, with or without a suffix, such as 500m, 20 or 256Mi")
_NAME = ("not a DNS label", "use at most 63 lower-case letters, digits and dashes (it becomes a Kubernetes name)")


UNRESOLVED = "unresolved"  # the type of an error in a place that names another, faulty place
_NAMED_PLACES = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a file: its place, the problem, and the fix. `also` are other places with the same fault."""

    file: Path
    line: int
    at: Location
    problem: str
    fix: str
    also: tuple[Location, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {show_path(self.at)}: {self.problem}{self._others()}; {self.fix}"

    def _others(self) -> str:
        if not self.also:
            return ""
        named = [show_path(at) for at in self.also[:_NAMED_PLACES]]
        more = [f"{len(self.also) - _NAMED_PLACES} more"] if len(self.also) > _NAMED_PLACES else []
        return f" (the same in {', '.join([*named, *more])})"


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed YAML file: its values, and the line number of every path."""

    file: Path
    values: Any
    lines: Mapping[Location, int]

    def fault(self, at: Location, problem: str, fix: str) -> Fault:
        """Returns a fault at `at`. If the key is missing, the line is that of the nearest parent."""
        known = next(at[:depth] for depth in range(len(at), -1, -1) if at[:depth] in self.lines)
        return Fault(self.file, self.lines[known], at, problem, fix)


def merge_shared(faults: Iterable[Fault | str]) -> list[Fault | str]:
    """Returns `faults` with one fault in place of those that models share, such as a feature that none of them gets."""
    merged: dict[object, Fault | str] = {}
    for fault in faults:
        shared: object = fault
        if isinstance(fault, Fault) and (key := _key_of_model(fault.at)) is not None:
            shared = (fault.file, key, fault.problem, fault.fix)
        first = merged.get(shared)
        if isinstance(first, Fault) and isinstance(fault, Fault):
            merged[shared] = replace(first, also=(*first.also, fault.at, *fault.also))
        else:
            merged[shared] = fault
    return list(merged.values())


def _key_of_model(at: Location) -> Location | None:
    """Returns the place in the entry of a model; None for a place elsewhere."""
    if at[:1] == ("members",):
        return at[2:]
    return at[4:] if at[2:3] == ("models",) else None


def show_path(at: Location) -> str:
    """Returns the path as text, such as `versions.2026-10.models[3].name`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in at)
    return text.lstrip(".") or "the file"


def read_tree(path: Path, text: str | None = None) -> Tree:
    """Reads a YAML file; raises Misconfigured when it cannot be read, is not YAML, or has a key twice.

    If `text` is given, it is the content, and `path` only names it.
    """
    try:
        text = path.read_text(encoding="utf-8") if text is None else text
        node = yaml.compose(text, Loader=yaml_text.Reader)
        values = yaml_text.load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error, "check the path and its permissions") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a bad date or number
        raise Misconfigured([_syntax_fault(path, text or "", error)]) from error
    lines: dict[Location, int] = {(): 1}
    try:
        twice = list(_walk(path, node, (), lines))
    except RecursionError:
        raise Misconfigured([f"{path}: has an alias to a node that contains the alias; remove the alias"]) from None
    if twice:
        raise Misconfigured([str(fault) for fault in twice])
    return Tree(path, values, lines)


def _syntax_fault(path: Path, text: str, error: Exception) -> str:
    """Returns the fault as text, with the line number if YAML reports the place."""
    if not isinstance(error, yaml.MarkedYAMLError) or (mark := error.problem_mark) is None:
        return f"{path}: is not valid YAML: {' '.join(str(error).split())}; fix the syntax"
    place = f"{path}:{mark.line + 1}: is not valid YAML"
    if text[mark.index : mark.index + 1] == "\t":
        return f"{place}: the line contains a tab; use spaces"
    return f"{place}: {error.problem}; fix the syntax"


def _walk(path: Path, node: yaml.Node | None, at: Location, lines: dict[Location, int]) -> Iterable[Fault]:
    """Fills `lines`; yields a fault for every duplicate key of a mapping (YAML would keep the last one)."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here, line = (*at, str(key.value)), key.start_mark.line + 1
            if here in lines:
                yield Fault(path, line, here, f"occurs twice, first on line {lines[here]}", "remove one")
                continue
            lines[here] = line
            yield from _walk(path, value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            lines[(*at, position)] = value.start_mark.line + 1
            yield from _walk(path, value, (*at, position), lines)


def validate(kind: type[_Block], tree: Tree, context: Mapping[str, Any]) -> tuple[_Block | None, list[Fault]]:
    """Returns `tree` as a block of `kind`, or None and all its faults."""
    try:
        return kind.model_validate(tree.values, context=dict(context)), []
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, [_explain(kind, tree, detail) for detail in details if not _is_consequence(detail)]


def valid_part(kind: type[_Block], values: Any, context: Mapping[str, Any]) -> _Block | None:
    """Returns the block without its invalid keys, to check the other keys; None if a required key is invalid."""
    kept = dict(values) if isinstance(values, dict) else {}
    while True:
        try:
            return kind.model_validate(kept, context=dict(context))
        except ValidationError as error:
            wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]} & kept.keys()
        if not wrong:
            return None
        kept = {key: value for key, value in kept.items() if key not in wrong}


def _is_consequence(detail: ErrorDetails) -> bool:
    """Whether the fault is reported at another place: that of an item of an empty list, or that of a member."""
    return detail["type"] == UNRESOLVED or (detail["type"] == "too_short" and bool(detail["input"]))


def _place(detail: ErrorDetails) -> Location:
    # A step in brackets is not in the file: pydantic marks a fault in a key, and our types mark the kind of a block.
    steps = [step for step in detail["loc"] if not _is_mark(step)]
    if detail["loc"][-1:] == ("[key]",) and isinstance(detail["input"], datetime.date):
        steps[-1] = _brief(detail["input"])  # pydantic names the key as Python writes it
    return tuple(steps)


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
            known, others = _keys_at(kind, detail["loc"][:-1]), _keys_of_other_kinds(kind, detail["loc"][:-1])
            return tree.fault(at, "unknown key", _nearest(str(at[-1]), known, others))
        case "union_tag_invalid":
            return _unknown_kind(tree, at, detail["ctx"])
        case "string_pattern_mismatch":
            key = str(at[-1])
            problem, fix = _QUANTITY if key in _QUANTITIES else _SHAPES.get(key, _NAME)
            return tree.fault(at, f"{detail['input']!r} is {problem}", fix)
        case "string_type":
            return tree.fault(at, f"{_brief(detail['input'])} is not text", "put it in quotes")
        case "int_type" | "int_from_float" | "int_parsing":
            return tree.fault(at, f"{_brief(detail['input'])} is wrong", "it should be a whole number")
        case "tuple_type" | "list_type":
            return tree.fault(at, f"{_brief(detail['input'])} is wrong", "it should be a list")
        case "model_type" | "dict_type":
            return tree.fault(at, f"{_brief(detail['input'])} is wrong", "it should be keys with values")
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return tree.fault(at, f"{_brief(detail['input'])} is wrong", message.replace("input ", "it "))


def _unknown_kind(tree: Tree, at: Location, context: Mapping[str, str]) -> Fault:
    """Returns the fault of a block of unknown kind; its discriminator function is named like the key of the kind."""
    key, tag = context["discriminator"].rstrip("()"), context["tag"].strip("[]")
    fix = f"it should be {context['expected_tags'].replace('[', '').replace(']', '')}"
    return tree.fault((*at, key), "is missing" if tag == "None" else f"{tag!r} is wrong", fix)


def _brief(value: Any) -> str:
    text = value.isoformat() if isinstance(value, datetime.date) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _nearest(key: str, known: list[str], others: list[str]) -> str:
    near = difflib.get_close_matches(key, known if key in others else [*known, *others], 1)
    return f"did you mean {near[0]!r}?" if near else f"the known keys are: {', '.join(known)}"


def _keys_at(kind: type[BaseModel], at: Location) -> list[str]:
    return _keys_of(_annotation_at(kind, at))


def _keys_of_other_kinds(kind: type[BaseModel], at: Location) -> list[str]:
    """Returns the keys of the other parts of a union, if `at` is a part of one."""
    parts = typing.get_args(_annotation_at(kind, at[:-1])) if at and _is_mark(at[-1]) else ()
    return [key for part in parts for key in _keys_of(part)]


def _annotation_at(kind: type[BaseModel], at: Location) -> Any:
    here: Any = kind
    for step in at:
        block = _block_in(here)
        field = _field(block, step)
        if _is_mark(step):
            here = _marked(here, step)
        elif isinstance(step, int) and typing.get_args(here):
            here = _bare(typing.get_args(here)[0])
        else:
            here = block if field is None else field.annotation
    return here


def _keys_of(annotation: Any) -> list[str]:
    block = _block_in(annotation)
    return [field.alias or name for name, field in block.model_fields.items()] if _is_block(block) else []


def _field(kind: Any, step: Step) -> FieldInfo | None:
    """Returns the field that `step` names; None if `step` is a key of a mapping or a position in a list."""
    fields = kind.model_fields.items() if _is_block(kind) else ()
    return next((field for name, field in fields if step in (name, field.alias)), None)


def _bare(annotation: Any) -> Any:
    """Returns `annotation` without the metadata of `Annotated`."""
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def _marked(annotation: Any, mark: Step) -> Any:
    """Returns the part of a union with the tag `mark`."""
    return next((part for part in typing.get_args(annotation) if Tag(str(mark)) in typing.get_args(part)), annotation)


def _is_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _block_in(annotation: Any) -> Any:
    """Returns the block type in an annotation such as `Offers | None` or `tuple[Model, ...]`."""
    if _is_block(annotation):
        return annotation
    return next((block for part in typing.get_args(annotation) if _is_block(block := _block_in(part))), None)
