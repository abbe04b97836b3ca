"""The `features` block of a catalog: the store of player features. Each kind of store has its own kind of block.

It is not in `mesh.catalog`, because `mesh.players` reads these settings and is a lower layer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from mesh.block import Block, Text, Uri
from mesh.players.dynamodb.schema import COLUMNS_HASH, NUMBERS, TEXTS, WRITTEN_AT
from mesh.players.features import Columns

LayoutName = Literal["packed", "attributes", "map", "feast"]


class _Store(Block):
    timeout_ms: float = Field(50, gt=0, description="time limit of one batched read")
    cache_ttl_s: float = Field(5, ge=0, description="how long a player is served from the cache; 0: read every time")
    cache_players: int = Field(20_000, ge=0, description="maximum number of players in the cache")
    unknown_player: Literal["ensemble", "fallback"] = Field(
        "ensemble",
        description="for a player who is not in the store: score with missing values, or return the fallback",
    )
    unread_player: Literal["ensemble", "fallback"] = Field(
        "fallback", description="the same for a player who cannot be read and is not in the cache"
    )


class SqliteFeatures(_Store):
    """A SQLite file on the machine of the supervisor."""

    store: Literal["sqlite"] = Field("sqlite", description="kind of store")
    path: Uri = Field(description="path of the SQLite file; fill it with `mesh features load`")

    @property
    def stale_ok_s(self) -> float | None:
        """Returns None: while the file cannot be read, cached players have no age limit, because the fault is local."""
        return None


class TableColumns(Block):
    """The names of the features in a table that another program fills, by kind."""

    numbers: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    texts: Annotated[tuple[Text, ...], Field(strict=False)] = ()


class DynamoFeatures(_Store):
    """A DynamoDB table with one item per player, in one of four layouts."""

    store: Literal["dynamodb"] = Field(description="kind of store")
    table: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{3,255}$")] = Field(description="name of the table")
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")] = Field(
        description="AWS region of the table, such as eu-west-1"
    )
    endpoint_url: Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#@\s]*)?$")] | None = Field(
        None, description="URL of another server with the DynamoDB API"
    )
    key: Text = Field("player_id", description="name of the hash key, a string (feast: always entity_id)")
    layout: LayoutName = Field("packed", description="format of the features in an item")
    attribute: Text = Field("features", description="for layout map: name of the attribute with the features")
    entity: Text | None = Field(None, description="for layout feast: name of the join key of players")
    columns: TableColumns | None = Field(
        None, description="names of the features; required only if another program fills the table"
    )
    consistent: bool = Field(False, description="use strongly consistent reads, which cost twice as much")
    ttl: Text | None = Field(None, description="name of the TTL attribute; an expired item counts as deleted")
    stale_ok_s: float = Field(
        3600, ge=0, description="maximum age of a cached player that is served while the table cannot be read"
    )

    @property
    def named_columns(self) -> Columns | None:
        """Returns the columns from the catalog; None if the table stores them."""
        return None if self.columns is None else Columns(self.columns.numbers, self.columns.texts)

    @property
    def hash_key(self) -> str:
        """Returns the name of the hash key."""
        return "entity_id" if self.layout == "feast" else self.key


def own_attributes(table: DynamoFeatures) -> frozenset[str]:
    """Returns the attributes that the layout adds to an item; the key must have another name."""
    match table.layout:
        case "packed":
            return frozenset({NUMBERS, TEXTS, COLUMNS_HASH, WRITTEN_AT})
        case "map":
            return frozenset({table.attribute, WRITTEN_AT})
        case "attributes":
            return frozenset({WRITTEN_AT})
    return frozenset()  # feast: the catalog does not set its key


def reserved_names(table: DynamoFeatures) -> frozenset[str]:
    """Returns the names that no feature can have in a table of that layout."""
    match table.layout:
        case "attributes":
            return frozenset({table.key, WRITTEN_AT})
        case "map":
            return frozenset({WRITTEN_AT})
    return frozenset()


# The function has the name of the key: pydantic reports it for an unknown kind, and `mesh.catalog.faults` shows it.
def store(block: Any) -> str:
    """Returns the kind of a `features` block (default: SQLite); the brackets mark a step that is not in the file."""
    kind = block.get("store", "sqlite") if isinstance(block, dict) else getattr(block, "store", "sqlite")
    return f"[{kind}]"


Features = Annotated[
    Annotated[SqliteFeatures, Tag("[sqlite]")] | Annotated[DynamoFeatures, Tag("[dynamodb]")], Discriminator(store)
]


def kind_of(block: Any) -> type[SqliteFeatures] | type[DynamoFeatures]:
    """Returns the type of a `features` block from a file."""
    return DynamoFeatures if store(block) == "[dynamodb]" else SqliteFeatures
