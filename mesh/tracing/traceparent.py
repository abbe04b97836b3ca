"""Trace context of a caller: the header `traceparent` of W3C Trace Context, level 2."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import getrandbits
from typing import NamedTuple

NAME = "traceparent"  # of the metadata of a call, and of the parameter of a message to a worker
PROPERTY = "traceparent"  # of the metadata of a model whose worker makes spans
_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01


class SpanId(NamedTuple):
    """The ids of a span: 128 bits for its trace, and 64 bits for itself."""

    trace_id: int
    span_id: int


class Traceparent(NamedTuple):
    """The span of a caller, and whether its trace is recorded there."""

    span: SpanId
    is_sampled: bool


def parse(text: str) -> Traceparent | None:
    """Returns the context in `text`; None if it breaks the rules of the standard: then the request starts a trace."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    ids = SpanId(int(trace, 16), int(span, 16))
    if version == "ff" or (version == "00" and more is not None) or not all(ids):
        return None
    return Traceparent(ids, bool(int(flags, 16) & _SAMPLED))


def encoded(span: SpanId) -> str:
    """Returns the header that names `span` as the parent, with the flag that its trace is recorded."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-01"


def sent_in(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """Returns the header in the metadata of a call; '' without one."""
    for key, value in metadata or ():
        if key == NAME and isinstance(value, str):
            return value
    return ""


def new_span(trace_id: int = 0) -> SpanId:
    """Returns random ids for a span of the trace `trace_id`; 0: of a new trace."""
    return SpanId(trace_id or getrandbits(128) or 1, new_span_id())


def new_span_id() -> int:
    """Returns a random id for a span, without that of its trace."""
    return getrandbits(64) or 1
