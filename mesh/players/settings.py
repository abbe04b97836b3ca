"""The catalog's `features` block: where a player's features are kept, one kind of block for each kind of store."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from mesh.block import Block, Text, Uri
from mesh.players.dynamodb.schema import COLUMNS_HASH, NUMBERS, TEXTS, WRITTEN_AT
from mesh.players.features import Columns

Layout = Literal["packed", "attributes", "map", "feast"]


class _Store(Block):
    timeout_ms: float = Field(50, gt=0, description="the longest wait for one batched read")
    cache_ttl_s: float = Field(5, ge=0, description="how long a read player is not read again; 0: always read")
    cache_players: int = Field(20_000, ge=0, description="how many players are kept")
    unknown_player: Literal["ensemble", "fallback"] = Field(
        "ensemble",
        description="for a player whom the store does not know: scores on missing values, or the fallback",
    )
    unread_player: Literal["ensemble", "fallback"] = Field(
        "fallback", description="for a player who could not be read, and is not in the cache: the same choice"
    )


class SqliteFeatures(_Store):
    """A SQLite file on the supervisor's machine."""

    store: Literal["sqlite"] = Field("sqlite", description="the kind of store")
    path: Uri = Field(description="the SQLite file, filled by `mesh features load`")

    @property
    def stale_ok_s(self) -> float | None:
        """A file that cannot be read is a mishap of this machine: what was read from it serves until it is mended."""
        return None


class TableColumns(Block):
    """The features of a table that others fill: their names, by kind."""

    numbers: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    texts: Annotated[tuple[Text, ...], Field(strict=False)] = ()


class DynamoFeatures(_Store):
    """A DynamoDB table with one item a player, in one of four layouts."""

    store: Literal["dynamodb"] = Field(description="the kind of store")
    table: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$")] = Field(description="the table's name")
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")] = Field(
        description="the table's AWS region, such as eu-west-1"
    )
    endpoint_url: Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$")] | None = Field(
        None, description="another server that speaks DynamoDB's protocol"
    )
    key: Text = Field("player_id", description="the table's hash key, a text (feast: always entity_id)")
    layout: Layout = Field("packed", description="how an item holds the features")
    attribute: Text = Field("features", description="map: the attribute that holds them")
    entity: Text | None = Field(None, description="feast: the name of the player's join key")
    columns: TableColumns | None = Field(
        None, description="of a table that others fill; else `mesh features load` keeps them in the table"
    )
    consistent: bool = Field(False, description="strongly consistent reads, at twice the price")
    ttl: Text | None = Field(None, description="the TTL attribute: an item past it is as good as deleted")
    stale_ok_s: float = Field(
        3600, ge=0, description="how long ago a player may have been read to serve while the table cannot be read"
    )

    @property
    def named_columns(self) -> Columns | None:
        """The columns that the catalog names; None where the table tells them."""
        return None if self.columns is None else Columns(self.columns.numbers, self.columns.texts)

    @property
    def hash_key(self) -> str:
        """The attribute that an item is found by."""
        return "entity_id" if self.layout == "feast" else self.key


def own_attributes(table: DynamoFeatures) -> frozenset[str]:
    """What an item of that layout holds beside its key and features of its own: no key can have such a name."""
    match table.layout:
        case "packed":
            return frozenset({NUMBERS, TEXTS, COLUMNS_HASH, WRITTEN_AT})
        case "map":
            return frozenset({table.attribute, WRITTEN_AT})
        case "attributes":
            return frozenset({WRITTEN_AT})
    return frozenset()  # feast: its key is not ours to name


def reserved_names(table: DynamoFeatures) -> frozenset[str]:
    """What no feature can be called in a table of that layout."""
    match table.layout:
        case "attributes":
            return frozenset({table.key, WRITTEN_AT})
        case "map":
            return frozenset({WRITTEN_AT})
    return frozenset()


def store(block: Any) -> str:
    """Tells the blocks apart: a store that is not named is SQLite. The brackets mark a step that is no place."""
    kind = block.get("store", "sqlite") if isinstance(block, dict) else getattr(block, "store", "sqlite")
    return f"[{kind}]"


Features = Annotated[
    Annotated[SqliteFeatures, Tag("[sqlite]")] | Annotated[DynamoFeatures, Tag("[dynamodb]")], Discriminator(store)
]


def kind_of(block: Any) -> type[SqliteFeatures] | type[DynamoFeatures]:
    """The kind of block that a file's `features` is meant to be."""
    return DynamoFeatures if store(block) == "[dynamodb]" else SqliteFeatures
