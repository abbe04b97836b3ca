"""The off-policy estimates of another version, with the warnings that a reader needs to trust them or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mesh.reference import off_policy
from mesh.reference.logged.rewards import Rewards
from mesh.reference.logged.what_if import Choices
from mesh.reference.off_policy import Estimate, Evidence

MIN_EFFECTIVE = 100.0  # decisions: with fewer, the normal approximation of the intervals is poor
MIN_PURCHASES = 20
MIN_OVERLAP = 0.95
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
CONVERSION = "conversion"


@dataclass(frozen=True, slots=True)
class Estimates:
    """The estimates of one reward per decision; `gain` is the doubly robust one less the `logged` mean."""

    logged: Estimate
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Verdict:
    """What another version would have shown, and what it would have earned.

    `changed` is the share of the decisions in which it ranks another offer first than the logged version. `flows`
    counts the decisions by the logged version's best offer and its own. `score_change` has the mean and quantiles of
    its scores less the logged ones, over all candidates. The estimates use the decisions in which the logged version
    could have shown its offer: `overlap` is their share. In `agreeing` of them, it was shown; `effective` is the
    effective sample size of these. `estimates` are by reward, empty without outcomes.
    """

    version: str
    decisions: int
    changed: float
    flows: Mapping[tuple[str, str], int]
    score_change: Mapping[str, float]
    explored: float
    overlap: float
    agreeing: int
    effective: float
    estimates: Mapping[str, Estimates]
    warnings: Sequence[str]


def judge(version: str, choices: Choices, rewards: Rewards | None) -> Verdict:
    """Returns the verdict on `version` from its choices; `rewards` [decisions], None if the log has no outcomes."""
    best, target = np.array(choices.best), np.array(choices.target)
    is_possible, propensity = np.array(choices.is_possible, bool), np.array(choices.propensity)
    evidence = _evidence(choices, is_possible)
    weights = evidence.weights
    found = {} if rewards is None else _rewards(rewards, choices, is_possible, evidence)
    is_agreeing = weights > 0
    bought = 0 if rewards is None else int(rewards.purchased[is_possible][is_agreeing].sum())
    effective, overlap = off_policy.effective_size(weights), float(is_possible.mean())
    explored = float((propensity < 1).mean())
    return Verdict(
        version=version,
        decisions=len(best),
        changed=float((best != target).mean()),
        flows=Counter(zip(choices.best, choices.target, strict=True)),
        score_change=_change(np.concatenate(choices.changes)),
        explored=explored,
        overlap=overlap,
        agreeing=int(is_agreeing.sum()),
        effective=effective,
        estimates={name: _estimates(one) for name, one in found.items()} if is_agreeing.any() else {},
        warnings=[
            *_warnings(explored, overlap, effective, None if rewards is None else bought),
            *_warnings_of_rewards(rewards, choices),
        ],
    )


def _evidence(choices: Choices, chosen: NDArray[np.bool_]) -> Evidence:
    """The columns of the chosen decisions, without a reward. A player who is not logged is alone."""
    names = [player or f"decision {at}" for at, player in enumerate(choices.player)]
    _, player = np.unique(np.array(names)[chosen], return_inverse=True)
    offers = {offer: number for number, offer in enumerate(sorted({*choices.shown, *choices.target}))}
    return Evidence(
        player=player,
        shown=np.array([offers[offer] for offer in choices.shown], np.int64)[chosen],
        target=np.array([offers[offer] for offer in choices.target], np.int64)[chosen],
        propensity=np.array(choices.propensity)[chosen],
        reward=np.zeros(len(player)),
        shown_score=np.array(choices.shown_score)[chosen],
        target_score=np.array(choices.target_score)[chosen],
    )


def _rewards(rewards: Rewards, choices: Choices, chosen: NDArray[np.bool_], evidence: Evidence) -> dict[str, Evidence]:
    found = {CONVERSION: _with(evidence, rewards.purchased[chosen], evidence.shown_score, evidence.target_score)}
    if rewards.currency is not None:
        shown, target = np.array(choices.shown_revenue)[chosen], np.array(choices.target_revenue)[chosen]
        found[f"revenue {rewards.currency}"] = _with(evidence, rewards.revenue[chosen], shown, target)
    return found


def _with(
    evidence: Evidence, reward: NDArray[np.float64], shown: NDArray[np.float64], target: NDArray[np.float64]
) -> Evidence:
    return replace(evidence, reward=reward, shown_score=shown, target_score=target)


def _estimates(evidence: Evidence) -> Estimates:
    return Estimates(
        off_policy.logged_mean(evidence),
        off_policy.ips(evidence),
        off_policy.snips(evidence),
        off_policy.doubly_robust(evidence),
        off_policy.gain(evidence),
    )


def _change(changes: NDArray[np.float64]) -> dict[str, float]:
    quantiles = np.quantile(changes, list(QUANTILES.values())).tolist()
    return {"mean": float(changes.mean()), **dict(zip(QUANTILES, quantiles, strict=True))}


def _warnings(explored: float, overlap: float, effective: float, bought: int | None) -> Iterator[str]:
    if not explored:
        yield (
            "nothing was explored: the estimates hold only for the decisions in which both versions show the same "
            "offer, and say nothing about the others; switch on `explore` in a version"
        )
    elif overlap < MIN_OVERLAP:
        yield (
            f"in {1 - overlap:.1%} of the decisions, the logged version could not show the offer of this version; "
            "the estimates do not hold for them: explore more offers (`explore.top`)"
        )
    if bought is None:
        yield "the log has no outcomes, so nothing can be estimated; report them with ReportOutcome"
        return
    if effective < MIN_EFFECTIVE:
        yield (
            f"the effective sample size is {effective:.0f}, below {MIN_EFFECTIVE:.0f}: the intervals are not reliable; "
            "log more decisions, or explore more"
        )
    if bought < MIN_PURCHASES:
        yield (
            f"{bought} of the decisions in which this version shows the same offer had a purchase, below "
            f"{MIN_PURCHASES}: the intervals are not reliable"
        )


def _warnings_of_rewards(rewards: Rewards | None, choices: Choices) -> Iterator[str]:
    if rewards is not None and rewards.others:
        others = ", ".join(f"{count:,} in {name}" for name, count in sorted(rewards.others.items()))
        yield f"the revenue has only purchases in {rewards.currency}, not {others}"
    if None in choices.player:
        yield "the log has no players: the intervals are too narrow if players have several decisions"
