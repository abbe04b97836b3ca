"""Finds contradictions between the layout of a DynamoDB table and the other keys of its block."""

from __future__ import annotations

from collections.abc import Iterator

from mesh.players.settings import DynamoFeatures, own_attributes, reserved_names


def table_contradictions(table: DynamoFeatures) -> Iterator[tuple[str, str, str]]:
    """Yields the keys that contradict the layout of the table, each with the problem and the fix."""
    if table.layout == "packed" and table.columns is not None:
        yield "columns", "are set, but a packed table stores its own columns", "remove them"
    if table.layout == "feast" and table.columns is None:
        yield "columns", "are missing, but a Feast table does not store them", "list the features of the feature view"
    if table.layout == "feast" and table.entity is None:
        yield "entity", "is missing, but Feast computes the key from it", "give the name of the join key of players"
    if table.key in own_attributes(table):
        yield (
            "key",
            f"{table.key!r} is also the name of another attribute in this layout",
            "give the hash key of the table",
        )
    names = [] if table.columns is None else [*table.columns.numbers, *table.columns.texts]
    twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if twice is not None:
        yield "columns", f"{twice!r} occurs twice", "remove one"
    for name in sorted(reserved_names(table).intersection(names)):
        yield "columns", f"{name!r} is a reserved name in this layout", "remove it"
