"""Rewrites the JSON Schema of the catalog, so that a validator reports each fault once.

For `oneOf`, a validator reports why each alternative failed, although the `type` of a block selects one of them. So
this module replaces `oneOf` by conditions (`if`/`then`).
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def plain(schema: Schema) -> Schema:
    """Returns `schema` with conditions instead of alternatives; it accepts the same documents."""
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
    """Returns the conditions equivalent to `oneOf`: a constant key of each block, or a required key, selects it."""
    blocks = [definitions[reference["$ref"].rpartition("/")[2]] for reference in references]
    constant = [name for name, field in blocks[0]["properties"].items() if "const" in field]
    return _by_constant(constant[0], references, blocks) if constant else _by_required_key(references, blocks)


def _by_required_key(references: list[Schema], blocks: list[Schema]) -> Schema:
    """The last block has a required key that the first does not have; this key selects it."""
    key = next(name for name in blocks[-1]["required"] if name not in blocks[0]["properties"])
    return {"type": "object", "if": {"required": [key]}, "then": references[-1], "else": references[0]}


def _by_constant(key: str, references: list[Schema], blocks: list[Schema]) -> Schema:
    kinds = [block["properties"][key]["const"] for block in blocks]
    required = [[key] if key in block.get("required", ()) else [] for block in blocks]  # a default: not required
    conditions = [
        {"if": {"properties": {key: {"const": kind}}, "required": needed}, "then": reference}
        for kind, needed, reference in zip(kinds, required, references, strict=True)
    ]
    always = [key] if all(required) else []
    return {"type": "object", "properties": {key: {"enum": kinds}}, "required": always, "allOf": conditions}
