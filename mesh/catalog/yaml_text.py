"""YAML as catalogs use it: one reader and one writer, so that each text that is written is read as the same text.

They agree with Helm, which also reads and writes catalogs, where PyYAML differs from it: `1e5` and `0o7` are numbers,
and `y` is true. So the writer quotes such texts.
"""

from __future__ import annotations

import re
import sys
from typing import Any, ClassVar

import yaml

from mesh.catalog.yaml_limits import LimitedLoader

_EXPONENT = re.compile(r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)[eE][-+]?[0-9]+$")
_OCTAL = re.compile(r"[-+]?0o[0-7_]+$")
_LINE_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
_LETTER = re.compile(r"[yYnN]$")


class Reader(LimitedLoader):
    """Reads the YAML of a catalog, within the limits of `yaml_limits`."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.SafeLoader.bool_values, "y": True, "n": False}


class Writer(yaml.SafeDumper):
    """Quotes each text that `Reader` would not read as text."""


for _kind in (Reader, Writer):
    _kind.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+.0123456789"))
    _kind.add_implicit_resolver("tag:yaml.org,2002:int", _OCTAL, list("-+0"))
    _kind.add_implicit_resolver("tag:yaml.org,2002:bool", _LETTER, list("yYnN"))


class FlowWriter(Writer):
    """Also writes a text of several lines in one line: in double quotes, with escapes."""


def _flow_text(writer: FlowWriter, text: str) -> yaml.ScalarNode:
    style = '"' if _LINE_BREAK.search(text) else None
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


FlowWriter.add_representer(str, _flow_text)


def load(text: str) -> Any:
    """Returns the value of `text`; raises yaml.YAMLError or ValueError if it is not valid YAML or exceeds a limit."""
    return parse(text)[1]


def parse(text: str) -> tuple[yaml.Node | None, Any]:
    """Returns the nodes of `text`, which know their lines, and its value; raises as `load`."""
    reader = Reader(text)
    node = reader.get_single_node()
    return node, None if node is None else reader.construct_document(node)


def dump(value: object, *, flow: bool = False) -> str:
    """Returns `value` as YAML: in blocks or, with `flow`, in one line with braces; without the last newline."""
    width = sys.maxsize  # never break a line: a broken text is hard to read in a catalog
    writer = FlowWriter if flow else Writer
    text: str = yaml.dump(
        value, Dumper=writer, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=width
    )
    return text.removesuffix("\n").removesuffix("\n...")  # not strip(): a text may begin with a no-break space
