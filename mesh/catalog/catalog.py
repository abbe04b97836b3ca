"""The catalog: one YAML file per game that says what is served, from what, and how the answer is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from mesh.block import Block, Uri
from mesh.catalog import faults as catalog_faults
from mesh.catalog import schema as catalog_schema
from mesh.catalog.deployment import faults as deployment_faults
from mesh.catalog.deployment.blocks import Kubernetes, Scaled, SupervisorDeployment
from mesh.catalog.faults import Fault, Tree
from mesh.errors import Misconfigured
from mesh.players.settings import DynamoFeatures, Features, kind_of, own_attributes, reserved_names

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

Name = Annotated[str, Field(pattern=DNS_LABEL)]
Game = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]  # a Service's name begins with a letter
ContextKind = Literal["number", "text", "boolean"]
CombineKind = Literal["mean", "weighted_mean", "median", "trimmed_mean", "rank_mean", "vote"]


class Offers(Block):
    """The offers to rank: a CSV file with the columns offer_id, price (optional) and offer features."""

    path: Uri | None = Field(None, description="the CSV file")
    table: str | None = Field(
        None, min_length=1, description="the CSV itself, read instead of the file: for Helm's --set-file offers.table="
    )
    fallback: str = Field(min_length=1, description="the offer that is shown when there is no other answer")
    rank_by: Literal["score", "expected_revenue"] = "score"


class Combine(Block):
    """How the votes become one score."""

    kind: CombineKind = "mean"
    quorum: int | None = Field(None, ge=1, description="votes an answer needs; default: more than half")
    trim: float = Field(
        0.1, ge=0, lt=0.5, description="trimmed_mean: the share of votes dropped at each end, rounded down"
    )
    threshold: float = Field(0.5, description="vote: a model votes for an offer that it scores at least so high")


class Model(Scaled):
    """One LightGBM model of an ensemble."""

    name: Name
    uri: Uri = Field(description="a LightGBM text model: a path, or s3://BUCKET/KEY")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$", description="of the file; checked before it is loaded")
    weight: float = Field(1.0, gt=0, description="weighted_mean: how much this model's vote counts")
    class_: int | None = Field(
        None,
        alias="class",
        ge=0,
        description="of a multiclass model: the class whose probability is the score",
    )


class Version(Scaled):
    """An ensemble: models that are asked together and combined."""

    traffic: float = Field(100, ge=0, le=100, description="percent of players, sticky by player id")
    combine: Combine = Combine()
    models: Annotated[tuple[Model, ...], Field(strict=False, min_length=1)]

    @property
    def quorum(self) -> int:
        """The number of votes that an answer needs."""
        return self.combine.quorum or len(self.models) // 2 + 1


class Catalog(Scaled):
    """Everything about one game. Paths are absolute once loaded."""

    game: Game
    budget_ms: float = Field(
        300, gt=0, le=10_000, description="answer time when the caller sends no deadline; also the cap"
    )
    reserve_ms: float = Field(
        10, ge=0, description="kept back of a deadline for the answer's way home (at most half of it)"
    )
    features: Features
    context: Mapping[str, ContextKind] = Field(
        default_factory=dict, description="features known only at the request, and their kinds"
    )
    offers: Offers | None = None
    versions: Annotated[Mapping[Name, Version], Field(min_length=1)]
    supervisor: SupervisorDeployment = SupervisorDeployment()
    kubernetes: Kubernetes = Kubernetes()


@dataclass(frozen=True, slots=True)
class Draft:
    """A catalog file as far as it makes sense, for the checks that must not stop at its first fault."""

    tree: Tree
    catalog: Catalog | None
    features: Features | None
    context: Mapping[str, ContextKind]
    offers: Offers | None
    versions: Mapping[str, VersionDraft]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """One version of a draft; `models` holds None where a model cannot be read."""

    traffic: float | None
    combine: Combine
    models: tuple[Model | None, ...]


def load(path: Path, folder: Path | None = None) -> Catalog:
    """Reads `path`; raises Misconfigured with every fault of the text (files: `catalog_files.faults`)."""
    draft = read(path, folder)
    if draft.catalog is None or draft.faults:
        raise Misconfigured([str(fault) for fault in draft.faults])
    return draft.catalog


def read(path: Path, folder: Path | None = None) -> Draft:
    """Reads `path` with all the faults of its text; raises Misconfigured only when it is no YAML mapping.

    Relative paths in it are of `folder`, or of its own.
    """
    tree = catalog_faults.read_tree(path)
    if not isinstance(tree.values, dict):
        raise Misconfigured([f"{path}: is not a catalog; start with `game: NAME`"])
    place = {"folder": (folder or path.parent).absolute()}
    catalog, faults = catalog_faults.validate(Catalog, tree, place)
    draft = _draft(tree, catalog, place)
    return replace(draft, faults=(*faults, *_contradictions(draft)))


def schema() -> dict[str, Any]:
    """The JSON Schema of a catalog file."""
    as_json = catalog_schema.plain(Catalog.model_json_schema())
    # A mapping's key that has no name's shape is a fault, as it is for the types.
    as_json["properties"]["versions"]["additionalProperties"] = False
    return as_json


def _draft(tree: Tree, catalog: Catalog | None, place: Mapping[str, Any]) -> Draft:
    values = tree.values
    context = values.get("context")
    versions = values.get("versions")
    return Draft(
        tree,
        catalog,
        catalog_faults.salvage(kind_of(values.get("features")), values.get("features"), place),
        context if isinstance(context, dict) else {},
        catalog_faults.salvage(Offers, values.get("offers"), place) if "offers" in values else None,
        {str(name): _version_draft(raw, place) for name, raw in versions.items()} if isinstance(versions, dict) else {},
        (),
    )


def _version_draft(raw: Any, place: Mapping[str, Any]) -> VersionDraft:
    raw = raw if isinstance(raw, dict) else {}
    traffic, models = raw.get("traffic", 100), raw.get("models")
    return VersionDraft(
        traffic if isinstance(traffic, int | float) and 0 <= traffic <= 100 else None,
        catalog_faults.salvage(Combine, raw.get("combine"), place) or Combine(),
        tuple(catalog_faults.salvage(Model, one, place) for one in models) if isinstance(models, list) else (),
    )


def _contradictions(draft: Draft) -> Iterator[Fault]:
    shares = [version.traffic for version in draft.versions.values()]
    known = [share for share in shares if share is not None]
    if known and len(known) == len(shares) and abs(sum(known) - 100) > 1e-6:
        problem = f"the versions' traffic adds up to {sum(known):g}"
        yield draft.tree.fault(("versions",), problem, "change it so that it adds up to 100")
    if isinstance(draft.features, DynamoFeatures):
        for key, problem, mend in _table_contradictions(draft.features):
            yield draft.tree.fault(("features", key), problem, mend)
    if draft.offers is not None and draft.offers.path is None and draft.offers.table is None:
        yield draft.tree.fault(("offers", "path"), "is missing", "add it")
    for name, version in draft.versions.items():
        yield from _version_contradictions(draft, version, ("versions", name))
    yield from deployment_faults.contradictions(draft.tree)


def _table_contradictions(table: DynamoFeatures) -> Iterator[tuple[str, str, str]]:
    """Key, problem and mend of what one layout needs and another cannot have."""
    if table.layout == "packed" and table.columns is not None:
        yield "columns", "are named, and a packed table tells its own", "remove them"
    if table.layout == "feast" and table.columns is None:
        yield "columns", "are missing, and a table of Feast does not tell them", "name the features of the view"
    if table.layout == "feast" and table.entity is None:
        yield "entity", "is missing, and Feast makes the key from it", "give the name of the player's join key"
    if table.key in own_attributes(table):
        yield "key", f"{table.key!r} is the name of another attribute of the layout", "give the table's hash key"
    names = [] if table.columns is None else [*table.columns.numbers, *table.columns.texts]
    twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if twice is not None:
        yield "columns", f"{twice!r} is named twice", "remove one"
    for name in sorted(reserved_names(table).intersection(names)):
        yield "columns", f"{name!r} is a name that the table needs for itself", "remove it"


def _version_contradictions(draft: Draft, version: VersionDraft, at: tuple[str, ...]) -> Iterator[Fault]:
    quorum = version.combine.quorum
    if quorum is not None and version.models and quorum > len(version.models):
        problem = f"{quorum} votes are needed and there are {len(version.models)} models"
        yield draft.tree.fault((*at, "combine", "quorum"), problem, "lower it or add models")
    if version.combine.kind == "rank_mean" and "offers" not in draft.tree.values:
        problem = "rank_mean ranks offers, and the game has none"
        yield draft.tree.fault((*at, "combine", "kind"), problem, "add an `offers` block or take another kind")
    first: dict[str, int] = {}
    for position, model in enumerate(version.models):
        if model is not None and first.setdefault(model.name, position) != position:
            problem = f"{model.name!r} is already the name of models[{first[model.name]}]"
            yield draft.tree.fault((*at, "models", position, "name"), problem, "give each model its own name")
