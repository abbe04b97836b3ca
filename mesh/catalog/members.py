"""Members: models that several versions of a game share, and the votes that versions give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from mesh.block import Block, Text, WorkerUri
from mesh.catalog import faults as catalog_faults
from mesh.catalog.deployment.blocks import WorkerDeployment
from mesh.catalog.deployment.names import SHARED
from mesh.catalog.faults import Fault, Tree

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

MAX_MODELS = 500  # of a version, and members of a game

Name = Annotated[str, Field(pattern=DNS_LABEL)]


class Member(WorkerDeployment):
    """One LightGBM model file and its replicas."""

    name: Name
    uri: WorkerUri = Field(description="LightGBM text model: a path or s3://BUCKET/KEY")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the model file, checked before loading"
    )
    categories: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] | None = Field(
        None,
        description="the columns of pandas' type category in the training frame; only for a model file that does not "
        "show to which columns its lists of categories belong",
    )
    golden: WorkerUri | None = Field(
        None,
        description="golden rows of the model file: a path or s3://BUCKET/KEY; a worker serves the model only if it "
        "gives their scores (see `mesh publish`)",
    )
    golden_sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file of golden rows, checked before use"
    )
    class_: int | None = Field(
        None,
        alias="class",
        ge=0,
        description="for a multiclass model: the class whose probability is the score",
    )


class Vote(Block):
    """The part of a model in the answers of a version."""

    weight: float = Field(1.0, gt=0, description="for weighted_mean: weight of the vote of this model")
    shadow: bool = Field(
        False, description="whether the model has no vote: its scores are only compared with those of the ensemble"
    )


class MemberVote(Vote):
    """The vote of a member in a version."""

    member: Name = Field(description="name of a model of the list `members`")


def kind_of_entry(raw: Any) -> str:
    """Returns the tag of an entry in the list of a version's models."""
    names_member = isinstance(raw, MemberVote) or (isinstance(raw, Mapping) and "member" in raw)
    return "[member]" if names_member else "[model]"


def read_members(raw: Any, context: Mapping[str, Any]) -> tuple[Member | None, ...]:
    """Returns the valid parts of a list of members, with None in place of an invalid member."""
    entries = raw if isinstance(raw, list) else []
    return tuple(catalog_faults.valid_part(Member, one, context) for one in entries)


def contradictions(tree: Tree) -> Iterator[Fault]:
    """Yields the contradictions between the members and the votes of the versions."""
    named = _named_members(tree)
    first: dict[str, int] = {}
    for position, name in named:
        if first.setdefault(name, position) != position:
            problem = f"{name!r} is already the name of members[{first[name]}]"
            yield tree.fault(("members", position, "name"), problem, "give each member its own name")
    versions = tree.values.get("versions")
    if named and isinstance(versions, dict) and SHARED in versions:
        problem = "the members of the game have this name in metrics and in Kubernetes"
        yield tree.fault(("versions", SHARED), problem, "rename the version")
    for version, position, name in _named_votes(tree):
        if name not in first:
            known = f"use one of {', '.join(first)}" if first else "add it to the list `members` of the game"
            yield tree.fault(("versions", version, "models", position, "member"), f"{name!r} is not a member", known)


def unused(tree: Tree) -> Iterator[Fault]:
    """Yields a warning for each member that no version names: its replicas only wait."""
    voting = {name for _, _, name in _named_votes(tree)}
    for position, name in _named_members(tree):
        if name not in voting:
            fix = "remove it, unless a version that names it comes back"
            yield tree.fault(("members", position, "name"), f"no version names {name!r}", fix)


def _named_members(tree: Tree) -> list[tuple[int, str]]:
    members = tree.values.get("members")
    entries = enumerate(members if isinstance(members, list) else ())
    return [(position, str(one["name"])) for position, one in entries if isinstance(one, dict) and "name" in one]


def _named_votes(tree: Tree) -> Iterator[tuple[str, int, str]]:
    versions = tree.values.get("versions")
    for version, block in versions.items() if isinstance(versions, dict) else ():
        models = block.get("models") if isinstance(block, dict) else None
        for position, entry in enumerate(models if isinstance(models, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("member"), str):
                yield str(version), position, entry["member"]
