"""Limits of the YAML that the mesh reads, so that no text takes long, or much memory, to read or to check.

A text of a few hundred bytes can stand for billions of values, because an alias (`*name`) repeats the value of its
anchor (`&name`). So the limits are for the values as they are read: each alias counts as much as the value that it
repeats.
"""

from __future__ import annotations

from typing import Any, ClassVar

import yaml
from yaml.events import AliasEvent

MAX_BYTES = 4 * 2**20  # more than a ConfigMap can hold
MAX_NODES = 100_000  # read and checked in a few seconds
MAX_DEPTH = 50
MAX_NUMBER_CHARACTERS = 100
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_BIG_FIX = "remove what no version uses, or give each game its own catalog"


class ExceedsLimit(yaml.MarkedYAMLError):
    """A text exceeds a limit of this module; `problem` and `fix` are parts of a sentence."""

    def __init__(self, problem: str, fix: str, mark: Any = None) -> None:
        super().__init__(problem=problem, problem_mark=mark)
        self.fix = fix


class LimitedLoader(yaml.SafeLoader):
    """Reads YAML within the limits; raises ExceedsLimit, another yaml.YAMLError, or ValueError."""

    max_bytes: ClassVar[int] = MAX_BYTES
    max_nodes: ClassVar[int] = MAX_NODES

    def __init__(self, stream: str) -> None:
        if len(stream) > self.max_bytes:  # at most as many characters as bytes
            raise ExceedsLimit(f"is longer than {self.max_bytes // 2**20} MiB", _BIG_FIX)
        self._nodes = 0
        self._depth = 0
        self._nodes_of_anchors: dict[str, int] = {}
        super().__init__(stream)

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Returns the next node, and counts it with all nodes below it."""
        if self.check_event(AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            repeated = self._nodes_of_anchors.get(event.anchor)
            if repeated is None and event.anchor in self.anchors:
                problem = f"the alias *{event.anchor} is inside of the value that it repeats"
                raise ExceedsLimit(problem, "remove the alias", event.start_mark)
            self._count(repeated or 0, event.start_mark)
            return super().compose_node(parent, index)
        event, before = self.peek_event(), self._nodes  # type: ignore[no-untyped-call]
        self._count(1, event.start_mark)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} levels of lists and mappings in each other"
            raise ExceedsLimit(problem, "remove some brackets or levels", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if event.anchor is not None:
            self._nodes_of_anchors[event.anchor] = self._nodes - before
        return node

    def compose_scalar_node(self, anchor: Any) -> Any:
        """Returns a node for a scalar; refuses long numbers, which Python reads and shows slowly."""
        node = super().compose_scalar_node(anchor)
        if node.tag in _NUMBERS and len(node.value) > MAX_NUMBER_CHARACTERS:
            problem = f"a number with more than {MAX_NUMBER_CHARACTERS} characters"
            raise ExceedsLimit(problem, "shorten it, or put it in quotes if it is text", node.start_mark)
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """Returns the value of `node`; raises yaml.YAMLError if it has a tag, such as `!!int`, that does not fit."""
        try:
            return super().construct_object(node, deep=deep)
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
            problem = f"the value does not fit its tag {node.tag.replace('tag:yaml.org,2002:', '!!')}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error

    def _count(self, nodes: int, mark: Any) -> None:
        self._nodes += nodes
        if self._nodes > self.max_nodes:
            raise ExceedsLimit(f"more than {self.max_nodes:,} values, with those that aliases repeat", _BIG_FIX, mark)


class ManifestLoader(LimitedLoader):
    """Reads the objects of Kubernetes, which have many more values than a catalog."""

    max_bytes = 64 * 2**20
    max_nodes = 4_000_000
