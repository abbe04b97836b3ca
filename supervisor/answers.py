"""The answer to a request (source, reason, offers, timings), and the rules by which a version answers.

The values that are made for each request are named tuples: a frozen dataclass takes twice as long.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass
from typing import NamedTuple

from mesh.catalog.catalog import Catalog
from mesh.catalog.version import Version
from mesh.errors import MeshError
from mesh.players.features import PlayerFeatures
from supervisor.inputs import COMPLETE, Gaps
from supervisor.ranking import RankedOffer, Ranking
from supervisor.vote_count import VoteCount


class Source(enum.Enum):
    """How much of the ensemble is in an answer."""

    ENSEMBLE = 1  # every model voted
    PARTIAL = 2  # some models did not vote, but the quorum was reached
    FALLBACK = 3  # no scores: the catalog's fallback offer


class ReasonWord(enum.StrEnum):
    """The public word of a reason: in responses before the colon, in metrics the label `reason`.

    Clients and alerts compare these words, so they do not change. The comment on `reason` in protos/offers.proto lists
    them too.
    """

    MISSING_MODELS = "missing-models"  # PARTIAL: some models did not vote
    QUORUM = "quorum"  # FALLBACK: fewer votes than the quorum, also at the deadline
    DEADLINE = "deadline"  # FALLBACK: the deadline passed before the models were asked
    OVERLOADED = "overloaded"  # FALLBACK: too many requests are waiting, or the answer would be too late
    FEATURES = "features"  # the player could not be read: FALLBACK, or scored on missing values
    STALE_FEATURES = "stale-features"  # the store could not be read: scored on features read earlier
    UNKNOWN_PLAYER = "unknown-player"  # the store has no such player: FALLBACK, or scored on missing values
    HOLDOUT = "holdout"  # FALLBACK: the player belongs to the holdout of the game
    INTERNAL = "internal"  # FALLBACK: a bug in the supervisor, which its log describes


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an answer lacks votes or current features: a public word, and a detail for people."""

    word: ReasonWord
    detail: str

    def __str__(self) -> str:
        return f"{self.word}: {self.detail}"


HELD_OUT = Reason(ReasonWord.HOLDOUT, "the player belongs to the group without models")


class Timings(NamedTuple):
    """The time of each stage of a request, in seconds. The stages do not overlap."""

    queue_s: float = 0.0
    features_s: float = 0.0
    fan_out_s: float = 0.0
    combine_s: float = 0.0
    last_model: str = ""  # the model whose vote arrived last


NO_TIMINGS = Timings()


class Answer(NamedTuple):
    """The answer to one request. `score` is set for Score, `offers` for GetOffer; a fallback has no scores.

    `missing` has a pair (model, reason) for each model without a vote. `features_age_s` is negative if the clock that
    wrote the features is ahead of ours; the response has 0 then. `explored`: the first offer was drawn by the version's
    `explore`. `propensity` is the probability that the first offer was the first; None for Score and a fallback.
    """

    source: Source
    reason: Reason | None
    score: float | None = None
    offers: tuple[RankedOffer, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()
    features_age_s: float | None = None
    unknown_player: bool = False
    timings: Timings = NO_TIMINGS
    gaps: Gaps = COMPLETE
    version_digest: str = ""  # of the model files that were asked; empty for a fallback
    explored: bool = False
    propensity: float | None = None

    @property
    def is_from_votes(self) -> bool:
        """Whether the votes of the models made it: also a fallback for lack of votes."""
        if self.source is not Source.FALLBACK:
            return True
        return self.reason is not None and self.reason.word is ReasonWord.QUORUM


class PlayerRead(NamedTuple):
    """The result of reading one player.

    `features` is None for a player who is not in the store, and for a player who could not be read: then `unread` is
    the error. `is_stale` marks features that were read earlier and could not be read again.
    """

    features: PlayerFeatures | None
    is_stale: bool = False
    unread: MeshError | None = None


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """The rules by which one version of a game answers. `ranking` is None for a game without offers."""

    catalog: Catalog
    version: Version
    ranking: Ranking | None

    def fallback(
        self, reason: Reason, missing: tuple[tuple[str, str], ...] = (), timings: Timings = NO_TIMINGS
    ) -> Answer:
        """Returns the catalog's fallback offer, without scores."""
        block = self.catalog.offers
        offers = (RankedOffer(block.fallback, None, None),) if block else ()
        return Answer(Source.FALLBACK, reason, offers=offers, missing=missing, timings=timings)

    def refusal(self, player: PlayerRead) -> Reason | None:
        """Returns why `player` gets the fallback without a question to the models; None if the models are asked."""
        block = self.catalog.features
        if player.unread is not None:
            return Reason(ReasonWord.FEATURES, player.unread.reason) if block.unread_player == "fallback" else None
        if player.features is None and block.unknown_player == "fallback":
            return Reason(ReasonWord.UNKNOWN_PLAYER, "the store does not know this player")
        return None

    def has_quorum(self, votes: VoteCount) -> bool:
        """Returns whether enough models voted for an answer with scores."""
        return votes.voters >= self.version.quorum

    def without_quorum(self, votes: VoteCount, timings: Timings) -> Answer:
        """Returns the fallback for a request with too few votes."""
        reason = Reason(ReasonWord.QUORUM, f"{votes.voters} of the {self.version.quorum} votes needed")
        return self.fallback(reason, votes.missing, timings)

    def scored(
        self,
        result: float | tuple[RankedOffer, ...],
        votes: VoteCount,
        player: PlayerRead,
        timings: Timings,
        gaps: Gaps = COMPLETE,
        version_digest: str = "",
    ) -> Answer:
        """Returns an answer with scores: `result` is one score for Score, the best offers for GetOffer."""
        features = player.features
        score, offers = (result, ()) if isinstance(result, float) else (None, result)
        return Answer(
            Source.PARTIAL if votes.missing else Source.ENSEMBLE,
            _shortcoming(votes, player),
            score=score,
            offers=offers,
            missing=votes.missing,
            features_age_s=time.time() - features.written_at_s if features else None,
            unknown_player=features is None and player.unread is None,
            timings=timings,
            gaps=gaps,
            version_digest=version_digest,
            propensity=1.0 if offers else None,
        )


def _shortcoming(votes: VoteCount, player: PlayerRead) -> Reason | None:
    if votes.missing:
        return Reason(ReasonWord.MISSING_MODELS, ", ".join(model for model, _ in votes.missing))
    if player.unread is not None:
        return Reason(ReasonWord.FEATURES, f"{player.unread.reason}; scored on missing values")
    if player.features is None:
        return Reason(ReasonWord.UNKNOWN_PLAYER, "the store does not know this player; scored on missing values")
    if player.is_stale:
        return Reason(ReasonWord.STALE_FEATURES, "the store could not be read; scored on features read earlier")
    return None
