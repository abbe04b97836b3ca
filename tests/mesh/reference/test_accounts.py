"""Accounts add up to the figure that they name, and no account is made where no average means anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from mesh.catalog.version import Combine, CombineKind
from mesh.reference import accounts
from mesh.reference.accounts import Account, Member, NoAccount, account_of, difference
from mesh.reference.combination import combine
from mesh.reference.contributions import NoContributions, contributions, load_forest
from tests.forests import TrainedForest, train

IDENTITIES = ("regression", "missing_nan", "missing_zero", "categorical")
LOG_ODDS = ("binary", "dart", "rf")
WEIGHTS = (1.0, 2.5, 0.5, 1.0)


@pytest.fixture(scope="module")
def forests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainedForest]:
    folder: Path = tmp_path_factory.mktemp("models")
    kinds = (*IDENTITIES, *LOG_ODDS, "poisson", "multiclass", "linear_tree")
    return {kind: train(kind, folder) for kind in kinds}


def members_of(forests: dict[str, TrainedForest], kinds: Sequence[str], row: list[float]) -> list[Member]:
    return [
        member_of(forests[kind], weight, row) for kind, weight in zip(kinds, (*WEIGHTS, 1.0)[: len(kinds)], strict=True)
    ]


def member_of(trained: TrainedForest, weight: float, row: list[float]) -> Member:
    forest = load_forest(trained.kind, trained.path, 2 if trained.kind == "multiclass" else None)
    names = tuple(trained.booster.feature_name())
    try:
        found = contributions(forest, row)
    except NoContributions as error:
        return Member(forest.name, weight, forest.link, names, 0.1, None, error.reason)
    return Member(forest.name, weight, forest.link, names, found.score, found)


def total(account: Account) -> float:
    return math.fsum((account.base, *account.values.values()))


@pytest.mark.parametrize("kind", ["mean", "weighted_mean", "median", "trimmed_mean"])
@pytest.mark.parametrize("count", [3, 4])
def test_account_of_scores_adds_up_to_the_score(
    forests: dict[str, TrainedForest], kind: CombineKind, count: int
) -> None:
    rule = Combine(kind=kind, trim=0.3)
    for row in forests["regression"].rows[:20].tolist():
        members = members_of(forests, IDENTITIES[:count], row)
        account = account_of(rule, members)
        assert isinstance(account, Account)
        assert account.is_score
        votes = [[member.vote or 0.0 for member in members]]
        assert total(account) == pytest.approx(combine(rule, votes, WEIGHTS[:count])[0], rel=1e-12, abs=1e-12)


def test_mean_of_log_odds_is_not_called_the_score(forests: dict[str, TrainedForest]) -> None:
    row = forests["binary"].rows[30].tolist()
    members = members_of(forests, LOG_ODDS, row)
    account = account_of(Combine(kind="weighted_mean"), members)
    assert isinstance(account, Account)
    assert (account.is_score, account.unit) == (False, "log odds of the score")
    raws = [member.contributions.raw for member in members if member.contributions]
    assert total(account) == pytest.approx(combine(Combine(kind="weighted_mean"), [raws], WEIGHTS[:3])[0])
    assert "They do not add up to the score" in account.meaning


def test_median_is_explained_by_the_middle_vote(forests: dict[str, TrainedForest]) -> None:
    members = members_of(forests, LOG_ODDS, forests["binary"].rows[31].tolist())
    account = account_of(Combine(kind="median"), members)
    middle = sorted(members, key=lambda member: member.vote or 0.0)[1]
    assert isinstance(account, Account)
    assert account.models == {middle.name: 1.0}
    assert account.values == accounts.values_of(middle)
    assert "not SHAP values of the ensemble" in account.meaning
    assert "do not add up to the score" not in account.meaning  # the score is the link of this one raw score


def test_missing_vote_has_no_part_in_the_account(forests: dict[str, TrainedForest]) -> None:
    row = forests["regression"].rows[25].tolist()
    first, second, third = members_of(forests, IDENTITIES[:3], row)
    without = Member(second.name, second.weight, second.link, second.features, None, second.contributions)
    assert account_of(Combine(), [first, without, third]) == account_of(Combine(), [first, third])


@pytest.mark.parametrize(("kind", "reason"), [("vote", "a vote of at least 0.5"), ("rank_mean", "mean of ranks")])
def test_counts_and_ranks_have_no_account(forests: dict[str, TrainedForest], kind: CombineKind, reason: str) -> None:
    found = account_of(Combine(kind=kind), members_of(forests, LOG_ODDS, forests["binary"].rows[0].tolist()))
    assert isinstance(found, NoAccount)
    assert reason in found.reason


def test_raw_scores_of_different_units_have_no_account(forests: dict[str, TrainedForest]) -> None:
    found = account_of(Combine(), members_of(forests, ("binary", "poisson"), forests["binary"].rows[0].tolist()))
    assert isinstance(found, NoAccount)
    assert "log odds of the score (binary), logarithm of the score (poisson)" in found.reason


def test_member_that_cannot_be_explained_leaves_no_account(forests: dict[str, TrainedForest]) -> None:
    row = forests["regression"].rows[30].tolist()
    found = account_of(Combine(), members_of(forests, ("regression", "linear_tree"), row))
    assert isinstance(found, NoAccount)
    assert "no contributions: linear_tree" in found.reason


def test_probability_of_a_class_depends_on_the_other_classes(forests: dict[str, TrainedForest]) -> None:
    found = account_of(Combine(), members_of(forests, ("multiclass",), forests["multiclass"].rows[30].tolist()))
    assert isinstance(found, Account)
    assert "depends on the raw scores of the other classes" in found.meaning


def test_difference_adds_up_to_the_difference_of_the_raw_scores(forests: dict[str, TrainedForest]) -> None:
    rule = Combine(kind="median")
    for first, second in zip(forests["binary"].rows[:32].tolist(), forests["binary"].rows[32:].tolist(), strict=True):
        one, other = (account_of(rule, members_of(forests, LOG_ODDS, row)) for row in (first, second))
        assert isinstance(one, Account)
        assert isinstance(other, Account)
        found = difference(one, other)
        assert total(found) == pytest.approx(one.raw - other.raw, rel=1e-9, abs=1e-12)
        assert ("bases differ" in found.meaning) == (one.models != other.models)
