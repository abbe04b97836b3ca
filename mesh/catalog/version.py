"""A version of the ensemble: its models, how their votes combine, and its share of the players."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, PrivateAttr, Tag, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from mesh.block import Block, Uri
from mesh.catalog import faults as catalog_faults
from mesh.catalog.deployment.blocks import WorkerDeployment
from mesh.catalog.deployment.names import SHARED
from mesh.catalog.members import MAX_MODELS, Member, MemberVote, Vote, kind_of_entry
from mesh.catalog.shifts import Guard, Rollout
from mesh.exploration import Explore

CombineKind = Literal["mean", "weighted_mean", "median", "trimmed_mean", "rank_mean", "vote"]


class Combine(Block):
    """How to combine the votes of the models into one score."""

    kind: CombineKind = "mean"
    quorum: int | None = Field(None, ge=1, description="minimum number of votes for an answer; default: more than half")
    trim: float = Field(
        0.1, ge=0, lt=0.5, description="for trimmed_mean: share of votes to drop at each end, rounded down"
    )
    threshold: float = Field(0.5, description="for vote: a model votes for an offer that it scores at least this high")


class Model(Member, Vote):
    """One LightGBM model of an ensemble."""

    _is_member: bool = PrivateAttr(default=False)

    @classmethod
    def of_member(cls, member: Member, vote: MemberVote) -> Model:
        """Returns the model of a version that gives `member` a vote."""
        values = {name: getattr(member, name) for name in Member.model_fields}
        values |= {name: getattr(vote, name) for name in Vote.model_fields}
        given = (member.model_fields_set | vote.model_fields_set) & cls.model_fields.keys()
        model = cls.model_construct(given, **values)
        model._is_member = True
        return model

    @property
    def is_member(self) -> bool:
        """Whether the model is a member, which other versions may ask too."""
        return self._is_member

    def home(self, version: str) -> str:
        """Returns the name under which the model has its replicas: its `version`, or `shared` for a member."""
        return SHARED if self._is_member else version


def _resolved(entry: Model | MemberVote, info: ValidationInfo) -> Model:
    if isinstance(entry, Model):
        return entry
    member = (info.context or {}).get("members", {}).get(entry.member)
    if member is None:
        raise PydanticCustomError(catalog_faults.UNRESOLVED, "the member is unknown, or has a fault itself")
    return Model.of_member(member, entry)


if TYPE_CHECKING:
    Entry = Model
else:  # in the file also the vote of a member, which becomes a whole model
    Entry = Annotated[
        Annotated[Model, Tag("[model]")] | Annotated[MemberVote, Tag("[member]")],
        Discriminator(kind_of_entry),
        AfterValidator(_resolved),
    ]


class Compared(Block):
    """The part of a version that says with what its requests are compared."""

    reference: Uri | None = Field(
        None,
        description="distributions of the features and scores in the training, with which the supervisors compare the "
        "requests: a path or s3://BUCKET/KEY (see `mesh drift`)",
    )


class Version(WorkerDeployment, Compared):
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
    explore: Explore | None = Field(
        None, description="draws the first offer of some players, to learn about offers that the ranking puts lower"
    )
    combine: Combine = Combine()
    ready: Literal["all", "quorum"] = Field(
        "all", description="the models that must be up before the version gets its first players: all, or its quorum"
    )
    models: Annotated[tuple[Entry, ...], Field(strict=False, min_length=1, max_length=MAX_MODELS)]

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
