"""Accounts: what the contributions of the models of an ensemble say together about its score, and what they do not.

SHAP values are linear: those of a mean of raw scores are the mean of the SHAP values. A link, a median or a rank is not
linear, so no average of contributions adds up to such a score. An account names the figure that it adds up to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.catalog.version import Combine
from mesh.reference.combination import combine
from mesh.reference.contributions import Contributions, check_sum
from mesh.reference.links import IDENTITY, Link

_SEE_MODELS = "see the contributions to the raw score of each model"


@dataclass(frozen=True, slots=True)
class Member:
    """One model and its part in the score of one row.

    `vote` is None if the model did not vote. `contributions` is None, with the reason in `problem`, for a model that
    LightGBM cannot explain.
    """

    name: str
    weight: float
    link: Link
    features: tuple[str, ...]
    vote: float | None
    contributions: Contributions | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Contributions by feature: `base` + their sum is `raw`, in `unit`; `is_score`: `raw` is the ensemble's score.

    `meaning` says in sentences what they explain. `models` are those whose votes count, by their shares (the sum is 1).
    """

    base: float
    values: Mapping[str, float]
    raw: float
    unit: str
    is_score: bool
    meaning: str
    models: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class NoAccount:
    """The reason why no average of the contributions means anything for the score."""

    reason: str


def account_of(rule: Combine, members: Sequence[Member]) -> Account | NoAccount:
    """Returns the account of an ensemble for one row, from the members that voted; at least one did."""
    voted = [member for member in members if member.vote is not None]
    reason = _obstacle(rule, voted)
    if reason is not None:
        return NoAccount(f"{reason}; {_SEE_MODELS}")
    shares = _shares(rule, voted)
    counted = [(member, share) for member, share in zip(voted, shares, strict=True) if share]
    link, is_whole = voted[0].link, len(counted) == len(voted)
    account = Account(
        base=math.fsum(share * _known(member).base for member, share in counted),
        values=_mean_values(counted),
        raw=math.fsum(share * _known(member).raw for member, share in counted),
        unit=link.unit,
        is_score=link == IDENTITY,
        meaning=_meaning(rule, link, counted, is_whole),
        models={member.name: share for member, share in counted},
    )
    _check(account, rule, voted)
    return account


def difference(first: Account, second: Account) -> Account:
    """Returns the contributions to the difference of two raw scores of the same ensemble.

    The bases only differ if other votes count.
    """
    names = dict.fromkeys((*first.values, *second.values))
    values = {name: first.values.get(name, 0.0) - second.values.get(name, 0.0) for name in names}
    return Account(
        base=first.base - second.base,
        values=values,
        raw=first.raw - second.raw,
        unit=first.unit,
        is_score=first.is_score,
        meaning=_meaning_of_difference(first, second),
        models=first.models,
    )


def values_of(member: Member) -> dict[str, float]:
    """Returns the contributions of a model by feature."""
    return dict(zip(member.features, _known(member).values, strict=True))


def _obstacle(rule: Combine, voted: Sequence[Member]) -> str | None:
    if rule.kind == "vote":
        counted = f"the score is the share of the models with a vote of at least {rule.threshold:g}"
        return f"{counted}: no average of contributions adds up to a count"
    if rule.kind == "rank_mean":
        return "the score is a mean of ranks, so it also depends on the other candidates"
    lacking = ", ".join(member.name for member in voted if member.contributions is None)
    if lacking:
        return f"these models have no contributions: {lacking}"
    units = {member.link.unit: member.name for member in voted}
    if len(units) > 1:
        named = ", ".join(f"{unit} ({name})" for unit, name in units.items())
        return f"the raw scores of the models have different units, so they have no mean: {named}"
    return None


def _shares(rule: Combine, voted: Sequence[Member]) -> list[float]:
    """The share of each vote in the mean that is the score: 0 for votes that a median or a trimmed mean drops."""
    if rule.kind == "weighted_mean":
        total = math.fsum(member.weight for member in voted)
        return [member.weight / total for member in voted]
    drop = {"median": (len(voted) - 1) // 2, "trimmed_mean": int(len(voted) * rule.trim)}.get(rule.kind, 0)
    ordered = sorted(range(len(voted)), key=lambda place: voted[place].vote or 0.0)
    kept = set(ordered[drop : len(voted) - drop])
    return [1 / len(kept) if place in kept else 0.0 for place in range(len(voted))]


def _mean_values(counted: Sequence[tuple[Member, float]]) -> dict[str, float]:
    terms: dict[str, list[float]] = {}
    for member, share in counted:
        for name, value in values_of(member).items():
            terms.setdefault(name, []).append(share * value)
    return {name: math.fsum(of_name) for name, of_name in terms.items()}


def _check(account: Account, rule: Combine, voted: Sequence[Member]) -> None:
    values = list(account.values.values())
    check_sum("the ensemble", account.base, values, account.raw)
    if account.is_score:
        votes = [member.vote for member in voted if member.vote is not None]
        (score,) = combine(rule, [votes], [member.weight for member in voted])
        check_sum("the ensemble", account.base, values, score)


def _known(member: Member) -> Contributions:
    assert member.contributions is not None, f"{member.name} has no contributions"
    return member.contributions


def _meaning(rule: Combine, link: Link, counted: Sequence[tuple[Member, float]], is_whole: bool) -> str:
    names = ", ".join(member.name for member, _ in counted)
    mean = "weighted mean" if rule.kind == "weighted_mean" else "mean"
    if is_whole:
        subject = f"the {mean} of the models' raw scores" if len(counted) > 1 else f"the raw score of {names}"
        parts = [f"The contributions add up to {'the score, ' if link == IDENTITY else ''}{subject}."]
    else:
        subject = f"the mean raw score of {names}" if len(counted) > 1 else f"the raw score of {names}"
        parts = [
            f"The contributions add up to {subject}: in this row, the {rule.kind.replace('_', ' ')} drops the others."
        ]
        parts += ["The features also decide which votes count, so they are not SHAP values of the ensemble."]
    if link != IDENTITY and len(counted) > 1:
        parts += [f"They do not add up to the score: it is the {mean} of the models' scores, not of their raw scores."]
    if link.is_shared:
        parts += ["The score also depends on the raw scores of the other classes."]
    return " ".join(parts)


def _meaning_of_difference(first: Account, second: Account) -> str:
    subject = "of the scores" if first.is_score else "of the raw scores, not of the scores"
    parts = [f"The contributions add up to the difference {subject}."]
    if first.models != second.models:
        parts += ["Other votes count for the two offers, so the bases differ, too."]
    return " ".join(parts)
