"""The layouts of an item, each a way to write a player's features and to read them back."""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mesh.players.dynamodb import attributes
from mesh.players.dynamodb.attributes import Item, WrongItem
from mesh.players.dynamodb.feast import FeastLayout
from mesh.players.dynamodb.schema import COLUMNS_HASH, NUMBERS, TEXTS, WRITTEN_AT, columns_hash, hash_in
from mesh.players.features import Columns, PlayerFeatures, pack_texts, unpack_texts
from mesh.players.settings import DynamoFeatures


class Layout(Protocol):
    """How one table holds its players. `read` takes items off the wire, where binary is base64; `write` gives bytes."""

    def key(self, player_id: str) -> str:
        """The hash key of a player."""
        ...

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """The player in `item`, as of `read_at_s` unless the item says when. Raises WrongItem, naming the feature."""
        ...

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """The attributes of a player, without the key; raises WrongItem for what the table cannot hold."""
        ...


def layout_of(features: DynamoFeatures, columns: Columns) -> Layout:
    """The layout that the catalog names, for a table with `columns`."""
    match features.layout:
        case "packed":
            return Packed(columns, columns_hash(columns))
        case "attributes":
            return Attributes(columns)
        case "map":
            return Nested(Attributes(columns), features.attribute)
        case "feast":
            return FeastLayout(columns, features.entity or "")


@dataclass(frozen=True)
class Packed:
    """All numbers in one binary, little-endian float64, with the hash of their columns; the texts as a JSON list."""

    columns: Columns
    hash: str

    def key(self, player_id: str) -> str:
        """The id itself."""
        return player_id

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Raises WrongItem when the item was written with other columns, or is none of ours."""
        if (written_with := hash_in(item)) != self.hash:
            raise WrongItem(f"was written with columns {written_with}, and the table's are {self.hash}; load it again")
        try:
            numbers = binascii.a2b_base64(item[NUMBERS]["B"])
            texts = unpack_texts(item[TEXTS]["S"]) if self.columns.texts else ()
        except (KeyError, TypeError, ValueError) as error:
            raise WrongItem(f"is no packed item: {error!r}; load it again") from None
        if len(numbers) != 8 * len(self.columns.numbers) or len(texts) != len(self.columns.texts):
            raise WrongItem("is cut or too long; load it again")
        if not all(text is None or isinstance(text, str) for text in texts):
            raise WrongItem("has texts that are none; load it again")
        return PlayerFeatures(numbers, texts, written_at(item, read_at_s))

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """The attributes of a player."""
        texts = {TEXTS: {"S": pack_texts(player.texts)}} if self.columns.texts else {}
        stamp = attributes.as_number(WRITTEN_AT, player.written_at_s)
        return {NUMBERS: {"B": player.numbers}, **texts, COLUMNS_HASH: {"S": self.hash}, WRITTEN_AT: stamp}


@dataclass(frozen=True)
class Attributes:
    """One attribute a feature, N, BOOL or S; what is missing has none."""

    columns: Columns

    def key(self, player_id: str) -> str:
        """The id itself."""
        return player_id

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Raises WrongItem, naming the first feature that is of another type than its column."""
        numbers = attributes.numbers(self.columns.numbers, item)
        texts = tuple(attributes.text(name, item.get(name)) for name in self.columns.texts)
        return PlayerFeatures(struct.pack(f"<{len(numbers)}d", *numbers), texts, written_at(item, read_at_s))

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """The attributes of a player; raises WrongItem for a number that the type N cannot hold."""
        return {**self.features(player), WRITTEN_AT: attributes.as_number(WRITTEN_AT, player.written_at_s)}

    def features(self, player: PlayerFeatures) -> dict[str, Any]:
        """The attributes of the features alone."""
        unpacked = struct.unpack(f"<{len(player.numbers) // 8}d", player.numbers)
        numbers = zip(self.columns.numbers, unpacked, strict=True)
        texts = zip(self.columns.texts, player.texts, strict=True)
        return {
            **{name: attributes.as_number(name, value) for name, value in numbers if not math.isnan(value)},
            **{name: {"S": value} for name, value in texts if value is not None},
        }


@dataclass(frozen=True)
class Nested:
    """The attributes of `Attributes` inside one map."""

    flat: Attributes
    attribute: str

    def key(self, player_id: str) -> str:
        """The id itself."""
        return player_id

    def read(self, item: Item, read_at_s: float) -> PlayerFeatures:
        """Raises WrongItem when the map is not there, or a feature in it is of the wrong type."""
        inner: Mapping[str, Any] = item.get(self.attribute, {})
        if "M" not in inner:
            raise WrongItem(f"has no map {self.attribute!r}; correct `attribute` in the catalog")
        return self.flat.read({**inner["M"], WRITTEN_AT: item.get(WRITTEN_AT, {"NULL": True})}, read_at_s)

    def write(self, player: PlayerFeatures) -> dict[str, Any]:
        """The attributes of a player; raises WrongItem for a number that the type N cannot hold."""
        stamp = attributes.as_number(WRITTEN_AT, player.written_at_s)
        return {self.attribute: {"M": self.flat.features(player)}, WRITTEN_AT: stamp}


def written_at(item: Item, read_at_s: float) -> float:
    """When the player was written; of a table that does not tell it, when it was read."""
    stamp = item.get(WRITTEN_AT)
    return float(stamp["N"]) if stamp is not None and "N" in stamp else read_at_s
