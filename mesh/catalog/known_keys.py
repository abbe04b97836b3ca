"""The keys that a catalog may have at a place, found in the annotations of its types."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

Step = str | int  # a key, or a position in a list
Location = tuple[Step, ...]


def is_mark(step: Step) -> bool:
    """Whether a step is not in the file: it marks the kind of a block, or a fault in a key."""
    return isinstance(step, str) and step.startswith("[") and step.endswith("]")


def keys_at(kind: type[BaseModel], at: Location) -> list[str]:
    """Returns the keys of the block at `at` in a file of `kind`."""
    return _keys_of(_annotation_at(kind, at))


def keys_of_other_kinds(kind: type[BaseModel], at: Location) -> list[str]:
    """Returns the keys of the other parts of a union, if `at` is a part of one."""
    parts = typing.get_args(_annotation_at(kind, at[:-1])) if at and is_mark(at[-1]) else ()
    return [key for part in parts for key in _keys_of(part)]


def _annotation_at(kind: type[BaseModel], at: Location) -> Any:
    here: Any = kind
    for step in at:
        block = _block_in(here)
        field = _field(block, step)
        if is_mark(step):
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
