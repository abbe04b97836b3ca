"""The catalog's JSON Schema, written so that a validator tells one fault once: by conditions, not by alternatives.

Of alternatives (`oneOf`) a validator tells why each of them failed, though a block's `type` says which one is meant.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def plain(schema: Schema) -> Schema:
    """`schema` with its alternatives as conditions; it accepts the same documents."""
    definitions = schema.get("$defs", {})
    rewritten: Schema = _rewritten(schema, definitions)
    return rewritten


def _rewritten(node: Any, definitions: Schema) -> Any:
    if isinstance(node, list):
        return [_rewritten(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    parts = {key: _rewritten(part, definitions) for key, part in node.items()}
    if {"type": "null"} in parts.get("anyOf", ()):
        (other,) = (part for part in parts.pop("anyOf") if part != {"type": "null"})
        return {**parts, "if": {"type": "null"}, "else": other}
    if "oneOf" in parts:
        kinds = _by_kind(parts.pop("oneOf"), definitions)
        return {**parts, **kinds}
    return parts


def _by_kind(references: list[Schema], definitions: Schema) -> Schema:
    """What `oneOf` these blocks says, where one key of theirs tells which is meant."""
    blocks = [definitions[reference["$ref"].rpartition("/")[2]] for reference in references]
    key = next(name for name, field in blocks[0]["properties"].items() if "const" in field)
    kinds = [block["properties"][key]["const"] for block in blocks]
    required = [[key] if key in block.get("required", ()) else [] for block in blocks]  # not where it has a default
    conditions = [
        {"if": {"properties": {key: {"const": kind}}, "required": needed}, "then": reference}
        for kind, needed, reference in zip(kinds, required, references, strict=True)
    ]
    always = [key] if all(required) else []
    return {"type": "object", "properties": {key: {"enum": kinds}}, "required": always, "allOf": conditions}
