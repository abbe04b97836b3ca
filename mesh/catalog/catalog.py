"""The catalog: one YAML file per game. It defines the features, offers, versions and models, and how votes combine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mesh.block import Block, Text, Uri
from mesh.catalog import faults as catalog_faults
from mesh.catalog import schema as catalog_schema
from mesh.catalog import shift_faults
from mesh.catalog.deployment import faults as deployment_faults
from mesh.catalog.deployment.blocks import Kubernetes, SupervisorDeployment, WorkerDeployment
from mesh.catalog.faults import Fault, Tree
from mesh.catalog.shifts import Assignment, Guard, Rollout
from mesh.errors import Misconfigured
from mesh.players.settings import DynamoFeatures, Features, kind_of, own_attributes, reserved_names

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

Name = Annotated[str, Field(pattern=DNS_LABEL)]
Game = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]  # the name of a Service starts with a letter
ContextKind = Literal["number", "text", "boolean"]
CombineKind = Literal["mean", "weighted_mean", "median", "trimmed_mean", "rank_mean", "vote"]


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


class Combine(Block):
    """How to combine the votes of the models into one score."""

    kind: CombineKind = "mean"
    quorum: int | None = Field(None, ge=1, description="minimum number of votes for an answer; default: more than half")
    trim: float = Field(
        0.1, ge=0, lt=0.5, description="for trimmed_mean: share of votes to drop at each end, rounded down"
    )
    threshold: float = Field(0.5, description="for vote: a model votes for an offer that it scores at least this high")


class Model(WorkerDeployment):
    """One LightGBM model of an ensemble."""

    name: Name
    uri: Uri = Field(description="LightGBM text model: a path or s3://BUCKET/KEY")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the model file, checked before loading"
    )
    categories: Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] | None = Field(
        None,
        description="the columns of pandas' type category in the training frame; only for a model file that does not "
        "show to which columns its lists of categories belong",
    )
    golden: Uri | None = Field(
        None,
        description="golden rows of the model file: a path or s3://BUCKET/KEY; a worker serves the model only if it "
        "gives their scores (see `mesh publish`)",
    )
    golden_sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the file of golden rows, checked before use"
    )
    weight: float = Field(1.0, gt=0, description="for weighted_mean: weight of the vote of this model")
    class_: int | None = Field(
        None,
        alias="class",
        ge=0,
        description="for a multiclass model: the class whose probability is the score",
    )
    shadow: bool = Field(
        False, description="whether the model has no vote: its scores are only compared with those of the ensemble"
    )


class Version(WorkerDeployment):
    """A version of the ensemble: the supervisor asks all its models and combines their votes."""

    traffic: float = Field(100, ge=0, le=100, description="percent of the players; each player keeps their version")
    rollout: Rollout | None = Field(None, description="a plan of the traffic in steps; replaces `traffic`")
    guard: Guard | None = Field(None, description="bounds on the answers; a version that breaks them loses its players")
    shadow: float = Field(
        0,
        ge=0,
        le=100,
        description="percent of the other versions' players whose requests this version scores too, for comparison; "
        "no player sees these scores",
    )
    combine: Combine = Combine()
    ready: Literal["all", "quorum"] = Field(
        "all", description="the models that must be up before the version gets its first players: all, or its quorum"
    )
    models: Annotated[tuple[Model, ...], Field(strict=False, min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _with_rollout(cls, values: Any) -> Any:
        """A version with a rollout has no traffic of its own."""
        has_plan = isinstance(values, dict) and values.get("rollout") is not None and "traffic" not in values
        return {**values, "traffic": 0} if has_plan else values

    @property
    def quorum(self) -> int:
        """Returns the minimum number of votes for an answer."""
        return self.combine.quorum or len(self.voters) // 2 + 1

    @cached_property
    def voters(self) -> tuple[Model, ...]:
        """The models that vote: all but the shadows."""
        return tuple(model for model in self.models if not model.shadow)


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
        default_factory=dict, description="features that the caller sends with the request, by name, and their kinds"
    )
    offers: Offers | None = None
    assignment: Assignment = Assignment()
    versions: Annotated[Mapping[Name, Version], Field(min_length=1)]
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
    versions: Mapping[str, VersionDraft]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """The valid parts of one version; `models` has None in place of an invalid model."""

    traffic: float | None
    shadow: float
    combine: Combine
    models: tuple[Model | None, ...]


def load(path: Path, folder: Path | None = None) -> Catalog:
    """Reads the catalog at `path`; raises Misconfigured with all faults in its text.

    It does not check the files that the catalog names; see `mesh.catalog.files.faults`.
    """
    draft = read(path, folder)
    if draft.catalog is None or draft.faults:
        raise Misconfigured([str(fault) for fault in draft.faults])
    return draft.catalog


def read(path: Path, folder: Path | None = None, text: str | None = None) -> Draft:
    """Reads the catalog at `path`, with all faults in its text; raises Misconfigured if it is not a YAML mapping.

    Relative paths in the catalog start at `folder`; the default is the folder of `path`. If `text` is given, it is the
    catalog, and `path` only names it.
    """
    tree = catalog_faults.read_tree(path, text)
    if not isinstance(tree.values, dict):
        raise Misconfigured([f"{path}: is not a catalog; start the file with `game: NAME`"])
    paths = {"folder": (folder or path.parent).absolute()}
    catalog, faults = catalog_faults.validate(Catalog, tree, paths)
    draft = _draft(tree, catalog, paths)
    return replace(draft, faults=(*faults, *_contradictions(draft)))


def schema() -> dict[str, Any]:
    """Returns the JSON Schema of a catalog file."""
    as_json = catalog_schema.plain(Catalog.model_json_schema())
    # The schema, like the types, rejects a version name that does not match the pattern.
    as_json["properties"]["versions"]["additionalProperties"] = False
    return as_json


def _draft(tree: Tree, catalog: Catalog | None, paths: Mapping[str, Any]) -> Draft:
    values = tree.values
    context = values.get("context")
    versions = values.get("versions")
    return Draft(
        tree,
        catalog,
        catalog_faults.valid_part(kind_of(values.get("features")), values.get("features"), paths),
        context if isinstance(context, dict) else {},
        catalog_faults.valid_part(Offers, values.get("offers"), paths) if "offers" in values else None,
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
        tuple(catalog_faults.valid_part(Model, one, paths) for one in models) if isinstance(models, list) else (),
    )


def _contradictions(draft: Draft) -> Iterator[Fault]:
    yield from shift_faults.contradictions(draft.tree)
    if isinstance(draft.features, DynamoFeatures):
        for key, problem, fix in _table_contradictions(draft.features):
            yield draft.tree.fault(("features", key), problem, fix)
    if draft.offers is not None and draft.offers.path is None and draft.offers.table is None:
        yield draft.tree.fault(("offers", "path"), "is missing", "add it, or add `table`")
    for name, version in draft.versions.items():
        yield from _version_contradictions(draft, version, ("versions", name))
        if version.shadow and not any(one.traffic != 0 for other, one in draft.versions.items() if other != name):
            problem = "is set, but no other version has players whose requests can be compared"
            yield draft.tree.fault(("versions", name, "shadow"), problem, "give another version traffic or remove it")
    yield from deployment_faults.contradictions(draft.tree)


def _table_contradictions(table: DynamoFeatures) -> Iterator[tuple[str, str, str]]:
    """Yields the keys that contradict the layout of the table, each with the problem and the fix."""
    if table.layout == "packed" and table.columns is not None:
        yield "columns", "are set, but a packed table stores its own columns", "remove them"
    if table.layout == "feast" and table.columns is None:
        yield "columns", "are missing, but a Feast table does not store them", "list the features of the feature view"
    if table.layout == "feast" and table.entity is None:
        yield "entity", "is missing, but Feast computes the key from it", "give the name of the join key of players"
    if table.key in own_attributes(table):
        yield (
            "key",
            f"{table.key!r} is also the name of another attribute in this layout",
            "give the hash key of the table",
        )
    names = [] if table.columns is None else [*table.columns.numbers, *table.columns.texts]
    twice = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if twice is not None:
        yield "columns", f"{twice!r} occurs twice", "remove one"
    for name in sorted(reserved_names(table).intersection(names)):
        yield "columns", f"{name!r} is a reserved name in this layout", "remove it"


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
    first: dict[str, int] = {}
    for position, model in enumerate(version.models):
        if model is not None and first.setdefault(model.name, position) != position:
            problem = f"{model.name!r} is already the name of models[{first[model.name]}]"
            yield draft.tree.fault((*at, "models", position, "name"), problem, "give each model its own name")
