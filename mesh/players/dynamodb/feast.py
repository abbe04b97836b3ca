"""The format of the DynamoDB online store of Feast: its keys and its values.

Sources: feast/infra/key_encoding_utils.py (entity key serialization version 3),
feast/infra/online_stores/dynamodb.py and protos/feast/types/Value.proto.
"""

from __future__ import annotations

import base64
import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import mmh3

from mesh import moment
from mesh.players.dynamodb.attributes import Item, WrongItem
from mesh.players.features import Columns, PlayerFeatures

VALUES, EVENT_TS = "values", "event_ts"
_STRING = 2  # feast.types.ValueType.STRING
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # wire types of protobuf
_TEXT_FIELD, _DOUBLE_FIELD, _FLOAT_FIELD = 2, 5, 6
_TIME_FIELD = 8
_VARINT_BITS = 70
_INTEGER_FIELDS = frozenset({3, 4, 7, _TIME_FIELD})  # int32, int64, bool, unix_timestamp
_NOT_A_TIME = -(1 << 63)  # a missing time is NaT of numpy (NULL_TIMESTAMP_INT_VALUE in feast/type_map.py)


@dataclass(frozen=True)
class FeastLayout:
    """The layout of a feature view whose entity has one join key of type string."""

    columns: Columns
    entity: str

    def key(self, player_id: str) -> str:
        """Returns the MurmurHash3 (x64, 128 bits) of the serialized entity key, in hexadecimal."""
        return mmh3.mmh3_x64_128_digest(entity_key(self.entity, player_id)).hex()

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Raises WrongItem with the name of the first feature whose type differs from its column."""
        values = item.get(VALUES, {}).get("M")
        if values is None:
            raise WrongItem(f"has no map {VALUES!r}; check that Feast fills the table")
        numbers = [self._number(name, values.get(name)) for name in self.columns.numbers]
        texts = tuple(self._text(name, values.get(name)) for name in self.columns.texts)
        return PlayerFeatures(struct.pack(f"<{len(numbers)}d", *numbers), texts, _event_s(item, read_at_s))

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """Returns the attributes of a player: numbers as doubles, texts as strings."""
        numbers = struct.unpack(f"<{len(player.numbers) // 8}d", player.numbers)
        values = {
            **{name: _double(one) for name, one in zip(self.columns.numbers, numbers, strict=True)},
            **{name: _string(one) for name, one in zip(self.columns.texts, player.texts, strict=True)},
        }
        event = datetime.fromtimestamp(player.written_at_s, UTC)
        return {EVENT_TS: {"S": str(event)}, VALUES: {"M": {name: {"B": value} for name, value in values.items()}}}

    def _number(self, name: str, value: Any) -> float:
        found = _value(name, value)
        if isinstance(found, str):
            raise WrongItem(f"{name!r} is text, but the column is a number")
        return math.nan if found is None else found

    def _text(self, name: str, value: Any) -> str | None:
        found = _value(name, value)
        if isinstance(found, float):
            raise WrongItem(f"{name!r} is a number, but the column is text")
        return found


def entity_key(entity: str, player_id: str) -> bytes:
    """Serializes an entity key of one string like version 3 of Feast."""
    name, value = entity.encode(), player_id.encode()
    names = struct.pack("<III", 1, _STRING, len(name)) + name
    return names + struct.pack("<II", _STRING, len(value)) + value


def _value(name: str, attribute: Any) -> float | str | None:
    """Returns the number or text of a feast.types.Value; None if it is empty."""
    if attribute is None:
        return None
    if "B" not in attribute:
        raise WrongItem(f"{name!r} is of type {', '.join(attribute)}, but Feast writes binaries")
    raw = base64.b64decode(attribute["B"])
    if not raw:
        return None
    field, wire = raw[0] >> 3, raw[0] & 7
    try:
        return _decoded(field, wire, raw)
    except (ValueError, struct.error, IndexError):
        raise WrongItem(f"{name!r} is field {field} of a Feast value, but it must be a number or text") from None


def _decoded(field: int, wire: int, raw: bytes) -> float | str:
    if field == _DOUBLE_FIELD and wire == _FIXED64:
        return float(struct.unpack_from("<d", raw, 1)[0])
    if field == _FLOAT_FIELD and wire == _FIXED32:
        return float(struct.unpack_from("<f", raw, 1)[0])
    if field in _INTEGER_FIELDS and wire == _VARINT:
        integer = _signed(_varint(raw, 1)[0])
        return math.nan if field == _TIME_FIELD and integer == _NOT_A_TIME else float(integer)
    if field == _TEXT_FIELD and wire == _LENGTH:
        length, start = _varint(raw, 1)
        return raw[start : start + length].decode()
    raise ValueError(field)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """Returns a base-128 varint and the position after it."""
    value = shift = 0
    while shift < _VARINT_BITS:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("the varint is longer than ten bytes")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _double(value: float) -> bytes:
    return b"" if math.isnan(value) else bytes((_DOUBLE_FIELD << 3 | _FIXED64,)) + struct.pack("<d", value)


def _string(value: str | None) -> bytes:
    if value is None:
        return b""
    encoded, length = value.encode(), b""
    left = len(encoded)
    while left >= 0x80:
        length, left = length + bytes((left & 0x7F | 0x80,)), left >> 7
    return bytes((_TEXT_FIELD << 3 | _LENGTH,)) + length + bytes((left,)) + encoded


def _event_s(item: Item, read_at_s: float) -> float:
    """Returns the event time, which Feast writes as `str(datetime)`; if there is none (NaT), the time of reading."""
    event_s = moment.epoch_s(item.get(EVENT_TS, {}).get("S"))
    return read_at_s if event_s is None else event_s
