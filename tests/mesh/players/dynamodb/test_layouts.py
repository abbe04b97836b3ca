"""Items that do not match their layout are errors with the reason."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from mesh.players.dynamodb.attributes import WrongItem
from mesh.players.dynamodb.layouts import layout_of
from mesh.players.dynamodb.schema import columns_hash
from mesh.players.features import Columns
from mesh.players.settings import DynamoFeatures, TableColumns

COLUMNS = Columns(("level",), ("country",))
LEVEL = base64.b64encode(struct.pack("<d", 7)).decode()
PACKED: dict[str, Any] = {
    "numbers": {"B": LEVEL},
    "texts": {"S": '["de"]'},
    "mesh_columns": {"S": columns_hash(COLUMNS)},
}


def features(layout: Any) -> DynamoFeatures:
    columns = TableColumns(numbers=COLUMNS.numbers, texts=COLUMNS.texts) if layout == "feast" else None
    return DynamoFeatures(
        store="dynamodb", table="players", region="eu-west-1", layout=layout, columns=columns, entity="player"
    )


def test_packed_item_is_read() -> None:
    found = layout_of(features("packed"), COLUMNS).read(PACKED, 5.0)
    assert (struct.unpack("<d", found.numbers), found.texts, found.written_at_s) == ((7.0,), ("de",), 5.0)


@pytest.mark.parametrize("texts", ["7", "null", '[["de"]]', "{}", '["de", "fr"]', "[", ""])
def test_invalid_texts_are_a_wrong_item(texts: str) -> None:
    with pytest.raises(WrongItem, match="load it again"):
        layout_of(features("packed"), COLUMNS).read({**PACKED, "texts": {"S": texts}}, 5.0)


@pytest.mark.parametrize("numbers", [{"B": "AA=="}, {"B": "!"}, {"N": "7"}, {}])
def test_invalid_numbers_are_a_wrong_item(numbers: dict[str, str]) -> None:
    with pytest.raises(WrongItem, match="load it again"):
        layout_of(features("packed"), COLUMNS).read({**PACKED, "numbers": numbers}, 5.0)


@pytest.mark.parametrize("raw", [b"\x20" + b"\xff" * 200, b"\x29\x00", b"\x12\x05ab", b"\xff"])
def test_invalid_feast_value_is_a_wrong_item_with_the_feature(raw: bytes) -> None:
    values = {"level": {"B": base64.b64encode(raw).decode()}}
    with pytest.raises(WrongItem, match="'level' is"):
        layout_of(features("feast"), COLUMNS).read({"values": {"M": values}}, 5.0)
