"""Explains the score of an offer: the contributions in each model of an ensemble, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.catalog.version import Combine
from mesh.category_lists import Category
from mesh.errors import Misconfigured
from mesh.reference.accounts import Account, Member, NoAccount, account_of
from mesh.reference.combination import combine
from mesh.reference.contributions import Forest, NoContributions, contributions, load_forest, score_of

MISSING, UNKNOWN, UNREAD = "missing", "unknown to the models", "missing or unknown"
EXCLUDED = "not in the log"  # the catalog excludes the feature from it


@dataclass(frozen=True, slots=True)
class Voter:
    """A model of the ensemble, with its file on this machine and its features in the order of its row."""

    name: str
    path: Path
    weight: float
    class_index: int | None
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """The value of a feature as a person knows it: categories are texts. `note` is set if a model sees no value."""

    value: Category | None
    note: str = ""

    def __str__(self) -> str:
        if self.value is None:
            return self.note
        shown = f"{self.value:.6g}" if isinstance(self.value, float) else str(self.value)
        if isinstance(self.value, bool):
            shown = shown.lower()  # as in a catalog, and in `--context`
        return f"{shown} ({self.note})" if self.note else shown


@dataclass(frozen=True, slots=True)
class Case:
    """A row of each voter for one offer; the offer is None in a game without offers.

    `votes` are those of the log, None without one: then the models vote now. The models `missing` have no vote. `score`
    is the combined score of the log.
    """

    offer: str | None
    rows: Sequence[Sequence[float]]
    inputs: Mapping[str, Input]
    price: float | None = None
    votes: Sequence[float | None] | None = None
    missing: frozenset[str] = frozenset()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an offer has its `score`, which is None if it depends on other candidates that are not known."""

    case: Case
    score: float | None
    members: tuple[Member, ...]
    account: Account | NoAccount


def explain(rule: Combine, voters: Sequence[Voter], cases: Sequence[Case]) -> list[Explanation]:
    """Returns the explanation of each case; loads the models once.

    Raises Misconfigured if contributions do not add up, or if a vote of the log is not that of its row. Raises BadModel
    for a file that is not a model.
    """
    forests = [load_forest(voter.name, voter.path, voter.class_index) for voter in voters]
    return [_explained(rule, voters, forests, case) for case in cases]


def _explained(rule: Combine, voters: Sequence[Voter], forests: Sequence[Forest], case: Case) -> Explanation:
    logged = case.votes or [None] * len(voters)
    members = tuple(
        _member(voter, forest, row, vote, case)
        for voter, forest, row, vote in zip(voters, forests, case.rows, logged, strict=True)
    )
    voted = [member for member in members if member.vote is not None]
    if not voted:
        return Explanation(case, None, members, NoAccount("no model voted"))
    return Explanation(case, _score(rule, voted, case), members, account_of(rule, members))


def _member(voter: Voter, forest: Forest, row: Sequence[float], logged: float | None, case: Case) -> Member:
    parts = (voter.name, voter.weight, forest.link, voter.features)
    if voter.name in case.missing:
        return Member(*parts, None, None, "had no vote")
    try:
        found = contributions(forest, row)
    except NoContributions as error:
        vote = score_of(forest, row)[1]
        _check_vote(voter, case, vote, logged)
        return Member(*parts, vote, None, error.reason)
    _check_vote(voter, case, found.score, logged)
    return Member(*parts, found.score, found)


def _check_vote(voter: Voter, case: Case, vote: float, logged: float | None) -> None:
    if logged is not None and vote != logged:
        of_offer = f" for offer {case.offer!r}" if case.offer is not None else ""
        problem = f"model {voter.name}: the log has the vote {logged!r}{of_offer}, but its row now has {vote!r}"
        fix = "check that no feature of the model is in `decisions.exclude`, and run `mesh decisions replay`"
        raise Misconfigured([f"{problem}; {fix}"])


def _score(rule: Combine, voted: Sequence[Member], case: Case) -> float | None:
    if case.score is not None or rule.kind == "rank_mean":
        return case.score
    votes = [member.vote for member in voted if member.vote is not None]
    return combine(rule, [votes], [member.weight for member in voted])[0]
