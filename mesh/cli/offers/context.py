"""Parses context features from the command line, such as `is_weekend=true platform=ios minutes=12.5`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mesh.errors import Misconfigured
from mesh.wire.offers_pb2 import ContextValue

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def parse(pairs: Sequence[str]) -> dict[str, ContextValue]:
    """Returns the features of `pairs` by name; raises Misconfigured with all faults."""
    context: dict[str, ContextValue] = {}
    faults = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            faults.append(f"--context {pair!r} is not NAME=VALUE; write, for example, platform=ios")
        elif name in context:
            faults.append(f"--context {name!r} is given twice; give it once")
        else:
            context[name] = value(text)
    if faults:
        raise Misconfigured(faults)
    return context


def value(text: str) -> ContextValue:
    """Returns a boolean, a number or a text; a quoted value is always a text."""
    if text in ("true", "false"):
        return ContextValue(flag=text == "true")
    if _NUMBER.fullmatch(text):
        return ContextValue(number=float(text))
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return ContextValue(text=text[1:-1] if quoted else text)


def context_value(value: float | bool | str) -> ContextValue:
    """Returns the value as a protobuf message."""
    if isinstance(value, str):
        return ContextValue(text=value)
    if isinstance(value, bool):
        return ContextValue(flag=value)
    return ContextValue(number=value)
