"""Faults of a catalog file: all at once, each with its line, its path in the file, the problem and the fix."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mesh.bounded_file import read_text
from mesh.catalog import yaml_text
from mesh.catalog.known_keys import Location as Location
from mesh.catalog.known_keys import is_mark, keys_at, keys_of_other_kinds
from mesh.catalog.yaml_limits import MAX_BYTES, ExceedsLimit
from mesh.errors import Misconfigured, unreadable

_Block = TypeVar("_Block", bound=BaseModel)

# The problem and the fix for a text that does not match its pattern, by key; `_NAME` is for all other keys.
_SHAPES = {
    "token_sha256": ("not a SHA-256", "give the 64 lower-case hexadecimal digits of the token's SHA-256"),
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
_MAX_KEY, _MAX_PROBLEM = 200, 500  # characters of a key, and of a problem, that are shown
MAX_FAULTS = 1000  # more take long to explain, and nobody reads them


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
        shown = problem if len(problem) <= _MAX_PROBLEM else f"{problem[:_MAX_PROBLEM]}..."
        return Fault(self.file, self.lines[known], at, shown, fix)


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
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step[:_MAX_KEY]}" for step in at)
    return text.lstrip(".") or "the file"


def read_tree(path: Path, text: str | None = None) -> Tree:
    """Reads a YAML file; raises Misconfigured if it cannot be read, is not YAML, exceeds a limit, or has a key twice.

    If `text` is given, it is the content, and `path` only names it.
    """
    try:
        text = read_text(path, MAX_BYTES) if text is None else text
        node, values = yaml_text.parse(text)
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error, "check the path and its permissions") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a bad date or number
        raise Misconfigured([_syntax_fault(path, text or "", error)]) from error
    lines: dict[Location, int] = {(): 1}
    if twice := list(_walk(path, node, (), lines)):
        raise Misconfigured([str(fault) for fault in twice])
    return Tree(path, values, lines)


def _syntax_fault(path: Path, text: str, error: Exception) -> str:
    """Returns the fault as text, with the line number if YAML reports the place."""
    if isinstance(error, ExceedsLimit):
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        return f"{path}{line}: {error.problem}; {error.fix}"
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
    """Returns `tree` as a block of `kind`, or None and its faults: all of them, or the first `MAX_FAULTS`."""
    try:
        return kind.model_validate(tree.values, context=dict(context)), []
    except ValidationError as error:
        details = [one for one in error.errors(include_url=False) if not _is_consequence(one)]
        return None, [_explain(kind, tree, detail) for detail in details[:MAX_FAULTS]]


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
    steps = [step for step in detail["loc"] if not is_mark(step)]
    if detail["loc"][-1:] == ("[key]",) and isinstance(detail["input"], datetime.date):
        steps[-1] = _brief(detail["input"])  # pydantic names the key as Python writes it
    return tuple(steps)


def _explain(kind: type[BaseModel], tree: Tree, detail: ErrorDetails) -> Fault:
    at = _place(detail)
    match detail["type"]:
        case "missing":
            return tree.fault(at, "is missing", "add it")
        case "leaves_root":
            problem, _, fix = detail["msg"].partition("; ")
            return tree.fault(at, f"{_brief(detail['input'])} {problem}", fix)
        case "too_long":
            return tree.fault(at, f"has {_size(detail['input'])} entries", _at_most(detail["ctx"]["max_length"]))
        case "too_short":
            return tree.fault(at, "is empty", "add at least one")
        case "extra_forbidden":
            known, others = keys_at(kind, detail["loc"][:-1]), keys_of_other_kinds(kind, detail["loc"][:-1])
            return tree.fault(at, "unknown key", _nearest(str(at[-1]), known, others))
        case "union_tag_invalid":
            return _unknown_kind(tree, at, detail["ctx"])
        case "string_pattern_mismatch":
            key = next((step for step in reversed(at) if isinstance(step, str)), "")  # of a list, if it is an item
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


def _size(value: Any) -> str:
    return f"{len(value):,}" if hasattr(value, "__len__") else "too many"


def _at_most(limit: int) -> str:
    return f"give at most {limit:,}"
