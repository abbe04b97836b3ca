"""The layouts of an item. Each layout writes the features of a player into an item and reads them."""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mesh import moment
from mesh.players.dynamodb import attributes
from mesh.players.dynamodb.attributes import Item, WrongItem
from mesh.players.dynamodb.schema import COLUMNS_HASH, NUMBERS, TEXTS, WRITTEN_AT, columns_hash, hash_in
from mesh.players.features import Columns, PlayerFeatures, pack_texts, unpack_texts
from mesh.players.settings import DynamoFeatures


class Layout(Protocol):
    """The format of the items of a table. `read` expects binary values as base64; `write` returns them as bytes."""

    def key(self, player_id: str) -> str:
        """Returns the hash key of a player."""
        ...

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Reads the player in `item`; `read_at_s` is the default of the time of writing. Raises WrongItem."""
        ...

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """Returns the attributes of a player, without the key; raises WrongItem if DynamoDB cannot store a value."""
        ...


def layout_of(features: DynamoFeatures, columns: Columns) -> Layout:
    """Returns the layout from the catalog, for a table with `columns`."""
    match features.layout:
        case "packed":
            return PackedLayout(columns, columns_hash(columns))
        case "attributes":
            return AttributesLayout(columns)
        case "map":
            return MapLayout(AttributesLayout(columns), features.attribute)
        case "feast":
            from mesh.players.dynamodb.feast import FeastLayout  # imports mmh3, which only this layout needs

            return FeastLayout(columns, features.entity or "")


@dataclass(frozen=True)
class PackedLayout:
    """All numbers in one binary of little-endian float64, the texts as a JSON list, and the hash of the columns."""

    columns: Columns
    hash: str

    def key(self, player_id: str) -> str:
        """Returns the ID itself."""
        return player_id

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Raises WrongItem if the item was written with other columns, or is not in this layout."""
        if (written_with := hash_in(item)) != self.hash:
            raise WrongItem(f"was written with columns {written_with}, but the table has {self.hash}; load it again")
        try:
            numbers = binascii.a2b_base64(item[NUMBERS]["B"])
            texts = unpack_texts(item[TEXTS]["S"]) if self.columns.texts else ()
        except (KeyError, TypeError, ValueError) as error:
            raise WrongItem(f"is not a packed item: {error!r}; load it again") from None
        if len(numbers) != 8 * len(self.columns.numbers) or len(texts) != len(self.columns.texts):
            raise WrongItem("has too few or too many values; load it again")
        if not all(text is None or isinstance(text, str) for text in texts):
            raise WrongItem("has invalid texts; load it again")
        return PlayerFeatures(numbers, texts, written_at(item, read_at_s))

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """Returns the attributes of a player."""
        texts = {TEXTS: {"S": pack_texts(player.texts)}} if self.columns.texts else {}
        stamp = attributes.as_number(WRITTEN_AT, player.written_at_s)
        return {NUMBERS: {"B": player.numbers}, **texts, COLUMNS_HASH: {"S": self.hash}, WRITTEN_AT: stamp}


@dataclass(frozen=True)
class AttributesLayout:
    """One attribute per feature: N, BOOL or S; a missing value has no attribute."""

    columns: Columns

    def key(self, player_id: str) -> str:
        """Returns the ID itself."""
        return player_id

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Raises WrongItem with the name of the first feature whose type differs from its column."""
        numbers = attributes.numbers(self.columns.numbers, item)
        texts = tuple(attributes.text(name, item.get(name)) for name in self.columns.texts)
        return PlayerFeatures(struct.pack(f"<{len(numbers)}d", *numbers), texts, written_at(item, read_at_s))

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """Returns the attributes of a player; raises WrongItem for a number out of the range of N."""
        return {**self.features(player), WRITTEN_AT: attributes.as_number(WRITTEN_AT, player.written_at_s)}

    def features(self, player: PlayerFeatures) -> dict[str, Any]:
        """Returns the attributes of the features, without the time of writing."""
        unpacked = struct.unpack(f"<{len(player.numbers) // 8}d", player.numbers)
        numbers = zip(self.columns.numbers, unpacked, strict=True)
        texts = zip(self.columns.texts, player.texts, strict=True)
        return {
            **{name: attributes.as_number(name, value) for name, value in numbers if not math.isnan(value)},
            **{name: {"S": value} for name, value in texts if value is not None},
        }


@dataclass(frozen=True)
class MapLayout:
    """The attributes of `AttributesLayout` in one map."""

    flat: AttributesLayout
    attribute: str

    def key(self, player_id: str) -> str:
        """Returns the ID itself."""
        return player_id

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Raises WrongItem if the map is missing, or the type of a feature differs from its column."""
        inner: Mapping[str, Any] = item.get(self.attribute, {})
        if "M" not in inner:
            raise WrongItem(f"has no map {self.attribute!r}; correct `attribute` in the catalog")
        return self.flat.read({**inner["M"], WRITTEN_AT: item.get(WRITTEN_AT, {"NULL": True})}, read_at_s)

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """Returns the attributes of a player; raises WrongItem for a number out of the range of N."""
        stamp = attributes.as_number(WRITTEN_AT, player.written_at_s)
        return {self.attribute: {"M": self.flat.features(player)}, WRITTEN_AT: stamp}


def written_at(item: Item, read_at_s: float) -> float:
    """Returns the time of writing; if the item does not have a valid one, the time of reading."""
    written_s = moment.epoch_s(item.get(WRITTEN_AT, {}).get("N"))
    return read_at_s if written_s is None else written_s
