"""The catalog: one YAML file per game. It defines the features, the offers, the members and the versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mesh.block import Block, Uri
from mesh.catalog import caller_faults, explore_faults, shift_faults
from mesh.catalog import decisions as decision_faults
from mesh.catalog import faults as catalog_faults
from mesh.catalog import schema as catalog_schema
from mesh.catalog.callers import Callers, Tls
from mesh.catalog.decisions import Decisions
from mesh.catalog.deployment import faults as deployment_faults
from mesh.catalog.deployment.blocks import Kubernetes, SupervisorDeployment, WorkerDeployment
from mesh.catalog.faults import Fault, Location, Tree
from mesh.catalog.members import MAX_MODELS, Member, MemberVote, Name, kind_of_entry, read_members
from mesh.catalog.members import contradictions as member_faults
from mesh.catalog.shifts import Assignment
from mesh.catalog.table_faults import table_contradictions
from mesh.catalog.version import Combine, Compared, Model, Version
from mesh.errors import Misconfigured
from mesh.exploration import Explore
from mesh.players.settings import DynamoFeatures, Features, kind_of
from mesh.roots import Roots, roots_of

Game = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]  # the name of a Service starts with a letter
ContextKind = Literal["number", "text", "boolean"]
MAX_VERSIONS = 100
MAX_CONTEXT = 1000


class Offers(Block):
    """The offers to rank: a CSV file with the columns offer_id, price (optional) and offer features."""

    path: Uri | None = Field(None, description="path of the CSV file")
    table: str | None = Field(
        None,
        min_length=1,
        description="the CSV itself, used instead of `path`; for helm --set-file offers.table=",
    )
    fallback: str = Field(min_length=1, description="ID of the offer to return when the models cannot rank the offers")
    rank_by: Literal["score", "expected_revenue"] = "score"


class Tracing(Block):
    """What the spans of the game may show."""

    players: bool = Field(False, description="whether spans have the id of the player")


class Catalog(WorkerDeployment):
    """The catalog of one game. Relative paths become absolute when it is loaded."""

    game: Game
    budget_ms: float = Field(
        300, gt=0, le=10_000, description="deadline of a request if the caller sends none; also the maximum"
    )
    reserve_ms: float = Field(
        10, ge=0, description="part of the deadline that is reserved to return the answer (at most half of it)"
    )
    features: Features
    context: Mapping[str, ContextKind] = Field(
        default_factory=dict,
        max_length=MAX_CONTEXT,
        description="features that the caller sends with the request, by name, and their kinds",
    )
    offers: Offers | None = None
    assignment: Assignment = Assignment()
    decisions: Decisions | None = Field(None, description="the log of every answer; none without this block")
    callers: Callers | None = Field(None, description="the programs that may ask for the game; without it, all may")
    tracing: Tracing = Field(Tracing(), description="what traces may show")
    tls: Tls = Field(Tls(), description="names in the certificates of the game's services")
    members: Annotated[tuple[Member, ...], Field(strict=False, max_length=MAX_MODELS)] = Field(
        (), description="models that several versions share: a version names them as `{member: NAME}`"
    )
    versions: Annotated[Mapping[Name, Version], Field(min_length=1, max_length=MAX_VERSIONS)]
    supervisor: SupervisorDeployment = SupervisorDeployment()
    kubernetes: Kubernetes = Kubernetes()
    global_: Mapping[str, Any] | None = Field(
        None,
        alias="global",
        description="values of an umbrella chart; the chart reads imageRegistry and imagePullSecrets",
    )
    enabled: bool | None = Field(None, description="for the condition of an umbrella chart; the mesh ignores it")


@dataclass(frozen=True, slots=True)
class Draft:
    """The valid parts of a catalog file, so that checks continue after the first fault."""

    tree: Tree
    catalog: Catalog | None
    features: Features | None
    context: Mapping[str, ContextKind]
    offers: Offers | None
    members: tuple[Member | None, ...]
    versions: Mapping[str, VersionDraft]
    faults: tuple[Fault, ...]

    def models(self) -> Iterator[tuple[Location, Member]]:
        """Yields each valid model file with its place in the catalog: the members, then the versions' own models."""
        for position, member in enumerate(self.members):
            if member is not None:
                yield ("members", position), member
        for name, version in self.versions.items():
            for position, model in enumerate(version.models):
                if model is not None and not model.is_member:
                    yield ("versions", name, "models", position), model


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """The valid parts of one version; `models` has None in place of an invalid model."""

    traffic: float | None
    shadow: float
    combine: Combine
    explore: Explore | None
    models: tuple[Model | None, ...]
    reference: str | None = None


def load(path: Path, folder: Path | Roots | None = None) -> Catalog:
    """Reads the catalog at `path`; raises Misconfigured with all faults in its text.

    It does not check the files that the catalog names; see `mesh.catalog.files.faults`.
    """
    draft = read(path, folder)
    if draft.catalog is None or draft.faults:
        raise Misconfigured([str(fault) for fault in draft.faults])
    return draft.catalog


def read(path: Path, folder: Path | Roots | None = None, text: str | None = None) -> Draft:
    """Reads the catalog at `path`, with all faults in its text; raises Misconfigured if it is not a YAML mapping.

    Relative paths in the catalog start at `folder`; the default is the folder of `path`. The paths may leave it, unless
    it is given as confined roots. If `text` is given, it is the catalog, and `path` only names it.
    """
    tree = catalog_faults.read_tree(path, text)
    if not isinstance(tree.values, dict):
        raise Misconfigured([f"{path}: is not a catalog; start the file with `game: NAME`"])
    paths = {"folder": roots_of(folder, path)}
    members = read_members(tree.values.get("members"), paths)
    context = {**paths, "members": {one.name: one for one in members if one is not None}}
    catalog, faults = catalog_faults.validate(Catalog, tree, context)
    draft = _draft(tree, catalog, members, context)
    return replace(draft, faults=(*faults, *_contradictions(draft)))


def schema() -> dict[str, Any]:
    """Returns the JSON Schema of a catalog file."""
    as_json = catalog_schema.plain(Catalog.model_json_schema())
    # The schema, like the types, rejects a version name that does not match the pattern.
    as_json["properties"]["versions"]["additionalProperties"] = False
    return as_json


def _draft(tree: Tree, catalog: Catalog | None, members: tuple[Member | None, ...], paths: Mapping[str, Any]) -> Draft:
    values = tree.values
    context = values.get("context")
    versions = values.get("versions")
    return Draft(
        tree,
        catalog,
        catalog_faults.valid_part(kind_of(values.get("features")), values.get("features"), paths),
        context if isinstance(context, dict) else {},
        catalog_faults.valid_part(Offers, values.get("offers"), paths) if "offers" in values else None,
        members,
        {str(name): _version_draft(raw, paths) for name, raw in versions.items()} if isinstance(versions, dict) else {},
        (),
    )


def _version_draft(raw: Any, paths: Mapping[str, Any]) -> VersionDraft:
    raw = raw if isinstance(raw, dict) else {}
    traffic, shadow, models = raw.get("traffic", 100), raw.get("shadow", 0), raw.get("models")
    return VersionDraft(
        traffic if isinstance(traffic, int | float) and 0 <= traffic <= 100 else None,
        shadow if isinstance(shadow, int | float) else 0,
        catalog_faults.valid_part(Combine, raw.get("combine"), paths) or Combine(),
        catalog_faults.valid_part(Explore, raw.get("explore"), paths) if isinstance(raw.get("explore"), dict) else None,
        tuple(_model_draft(one, paths) for one in models) if isinstance(models, list) else (),
        _reference_draft(raw.get("reference"), paths),
    )


def _reference_draft(raw: Any, paths: Mapping[str, Any]) -> str | None:
    compared = catalog_faults.valid_part(Compared, {"reference": raw}, paths)
    return None if compared is None else compared.reference


def _model_draft(raw: Any, context: Mapping[str, Any]) -> Model | None:
    if kind_of_entry(raw) == "[model]":
        return catalog_faults.valid_part(Model, raw, context)
    vote = catalog_faults.valid_part(MemberVote, raw, context)
    member = context["members"].get(vote.member) if vote is not None else None
    return Model.of_member(member, vote) if member is not None and vote is not None else None


def _contradictions(draft: Draft) -> Iterator[Fault]:
    yield from shift_faults.contradictions(draft.tree)
    if isinstance(draft.features, DynamoFeatures):
        for key, problem, fix in table_contradictions(draft.features):
            yield draft.tree.fault(("features", key), problem, fix)
    offers = draft.tree.values.get("offers")
    if isinstance(offers, dict) and offers.get("path") is None and offers.get("table") is None:
        yield draft.tree.fault(("offers", "path"), "is missing", "add it, or add `table`")
    for name, version in draft.versions.items():
        yield from _version_contradictions(draft, version, ("versions", name))
        if version.shadow and not any(one.traffic != 0 for other, one in draft.versions.items() if other != name):
            problem = "is set, but no other version has players whose requests can be compared"
            yield draft.tree.fault(("versions", name, "shadow"), problem, "give another version traffic or remove it")
    yield from member_faults(draft.tree)
    yield from decision_faults.contradictions(draft.tree)
    yield from caller_faults.contradictions(draft.tree)
    yield from deployment_faults.contradictions(draft.tree)


def _version_contradictions(draft: Draft, version: VersionDraft, at: tuple[str, ...]) -> Iterator[Fault]:
    quorum = version.combine.quorum
    voters = [model for model in version.models if model is None or not model.shadow]
    if quorum is not None and voters and quorum > len(voters):
        counted = "models" if len(voters) == len(version.models) else "models that vote"
        problem = f"{quorum} votes required, but the version has {len(voters)} {counted}"
        yield draft.tree.fault((*at, "combine", "quorum"), problem, "lower the quorum or add models")
    if version.models and not voters:
        yield draft.tree.fault((*at, "models"), "every model is a shadow", "let at least one model vote")
    if version.combine.kind == "rank_mean" and "offers" not in draft.tree.values:
        problem = "rank_mean ranks offers, but the game has no offers"
        yield draft.tree.fault((*at, "combine", "kind"), problem, "add an `offers` block or use another kind")
    if version.explore is not None:
        yield from explore_faults.contradictions(draft.tree, (*at, "explore"), version.explore, len(voters))
    first: dict[str, int] = {}
    for position, model in enumerate(version.models):
        if model is not None and first.setdefault(model.name, position) != position:
            problem = f"{model.name!r} is already the name of models[{first[model.name]}]"
            key = "member" if model.is_member else "name"
            yield draft.tree.fault((*at, "models", position, key), problem, "give each model its own name")
