"""The `decisions` block of a catalog: the log of every answer (docs/decisions-log.md)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mesh.block import HAS_SCHEME, Block, Text, Uri
from mesh.catalog.faults import Fault, Tree
from mesh.catalog.sources import Sources
from mesh.s3.address import SCHEME as S3
from mesh.s3.address import problem_of

REQUEST_COLUMNS = ("request_id", "context", "player", "caller")  # columns of the log that `exclude` accepts


class Decisions(Block):
    """The log of every answer, as Parquet files that data tools read."""

    to: Uri = Field(description="folder of the log, relative to the catalog, or s3://bucket/prefix")
    sample: float = Field(
        100, gt=0, le=100, description="percent of the players whose answers are logged; always the same players"
    )
    features: bool = Field(True, description="whether to log the rows that the models scored; a replay needs them")
    votes: Literal["all", "top", "none"] = Field(
        "all", description="the candidates whose votes are logged, model by model: all, the returned ones, or none"
    )
    flush_s: float = Field(30, ge=1, le=3600, description="maximum age of a record when it is in a complete file")
    max_mb: float = Field(
        64, ge=4, le=4096, description="memory for records that are not written yet; if it is full, records are dropped"
    )
    players: Literal["plain", "hashed"] = Field(
        "plain", description="whether to log the ids of players, or their hashes with the key in MESH_PLAYER_KEY"
    )
    exclude: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        (),
        description="names whose values are not logged: request_id, context, player, caller, or features of the "
        "context, the store or the offers",
    )

    @property
    def max_bytes(self) -> int:
        """The memory for records that are not written yet."""
        return int(self.max_mb * 2**20)


def contradictions(tree: Tree) -> Iterator[Fault]:
    """Yields the contradictions in the block; ignores invalid values."""
    block = tree.values.get("decisions")
    if not isinstance(block, dict):
        return
    yield from _place(tree, block)
    excluded = block.get("exclude")
    names = [name for name in excluded if isinstance(name, str)] if isinstance(excluded, list) else []
    for position, name in enumerate(names):
        if name in names[:position]:
            yield tree.fault(("decisions", "exclude", position), f"{name!r} is named twice", "name it once")
    if block.get("players") == "hashed" and "player" in names:
        problem = "is hashed, but `exclude` names player, so that no player is logged"
        yield tree.fault(("decisions", "players"), problem, "remove `players`, or remove player from `exclude`")


def unknown_exclusions(tree: Tree, sources: Sources) -> Iterator[Fault]:
    """Yields the names in `exclude` that nothing has: a value that was meant would be logged."""
    block, columns, offers = tree.values.get("decisions"), sources.columns, sources.offers
    excluded = block.get("exclude") if isinstance(block, dict) else None
    if not isinstance(excluded, list) or columns is None:
        return
    of_offers = {*offers.numbers, *offers.texts} if offers is not None else set()
    known = {*REQUEST_COLUMNS, *sources.context, *columns.numbers, *columns.texts, *of_offers}
    for position, name in enumerate(excluded):
        if isinstance(name, str) and name not in known:
            problem = f"{name!r} is not a column of a request, or a feature of the context, the store or the offers"
            fix = f"correct the name, or remove it; columns of a request: {', '.join(REQUEST_COLUMNS)}"
            yield tree.fault(("decisions", "exclude", position), problem, fix)


def unwritable(tree: Tree, block: Decisions) -> Iterator[Fault]:
    """Yields a warning if this machine cannot write the folder of the log; without a network, S3 is not checked."""
    if block.to.startswith(S3):
        return
    folder = Path(block.to.removeprefix("file://"))
    found = next(place for place in (folder, *folder.parents) if place.exists())
    if not found.is_dir():
        yield tree.fault(("decisions", "to"), f"{found} is not a folder", "name a folder, which may be missing")
    elif not os.access(found, os.W_OK | os.X_OK):
        problem = f"{found} cannot be written on this machine, so a supervisor here would log nothing"
        yield tree.fault(("decisions", "to"), problem, "let the user of the supervisor write there")


def _place(tree: Tree, block: Mapping[str, Any]) -> Iterator[Fault]:
    to = block.get("to")
    if not isinstance(to, str) or not HAS_SCHEME.match(to) or to.startswith("file://"):
        return
    at = ("decisions", "to")
    if not to.startswith(S3):
        yield tree.fault(at, f"{to!r} is neither a folder nor on S3", "give a folder or s3://BUCKET/PREFIX")
        return
    bucket, _, prefix = to.removeprefix(S3).rstrip("/").partition("/")
    if not bucket:
        yield tree.fault(at, f"{to!r} has no bucket", "give s3://BUCKET/PREFIX")
    elif (found := problem_of(bucket, prefix)) is not None:
        problem, _, fix = found.partition("; ")
        yield tree.fault(at, f"{to!r} {problem}", fix)
