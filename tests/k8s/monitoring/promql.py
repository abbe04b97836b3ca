"""Finds the metrics and labels in a PromQL expression, without a full parser."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\s*\{([^}]*)\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_LABEL_LIST = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_CALL = re.compile(r"\b[a-z_]\w*\s*(?=\()")
_NUMBER = re.compile(r"\b\d[\w.]*")
_WORD = re.compile(r"[a-zA-Z_:][\w:]*")
_KEYWORDS = frozenset(["and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "bool"])


@dataclass(frozen=True, slots=True)
class Named:
    """Names in an expression: metrics with the labels of their selectors, grouping labels, created labels."""

    selected: tuple[tuple[str, frozenset[str]], ...]
    grouped: frozenset[str]
    made: frozenset[str]


def named(expression: str) -> Named:
    """The names in `expression`."""
    made = re.findall(r'label_(?:join|replace)\(.*?,\s*"(\w+)",', expression, re.DOTALL)
    bare = _STRING.sub('""', expression)
    selected = [(name, frozenset(_MATCHER.findall(matchers))) for name, matchers in _SELECTOR.findall(bare)]
    grouped = [label for labels in _LABEL_LIST.findall(bare) for label in _WORD.findall(labels)]
    rest = _SELECTOR.sub(" ", bare)
    for pattern in (_LABEL_LIST, _RANGE, _CALL, _NUMBER):
        rest = pattern.sub(" ", rest)
    unselected = [(word, frozenset[str]()) for word in _WORD.findall(rest) if word not in _KEYWORDS]
    return Named(tuple(selected + unselected), frozenset(grouped), frozenset(made))
