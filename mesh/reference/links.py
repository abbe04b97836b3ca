"""Links: how LightGBM turns the raw score of a model, the sum of its trees, into its score."""

from __future__ import annotations

from dataclasses import dataclass

_SCORE = "score"


@dataclass(frozen=True, slots=True)
class Link:
    """The link of an objective. `unit` says what a raw score is; `is_identity`: it is the score.

    Raw scores of models with equal links can be averaged. With `is_shared`, the score also depends on the raw scores of
    the other classes.
    """

    unit: str
    is_identity: bool = False
    is_shared: bool = False


IDENTITY = Link(_SCORE, is_identity=True)


def link_of(objective: str) -> Link:
    """Returns the link of an objective with its parameters, as it is in a model file (`ConvertOutput` of LightGBM)."""
    name, *parameters = objective.split() or [""]
    if "sqrt" in parameters and name.startswith(("regression", "huber", "fair", "quantile", "mape")):
        return Link("square root of the score")
    if name in ("binary", "multiclassova"):
        given = next((one.partition(":")[2] for one in parameters if one.startswith("sigmoid:")), "1")
        return Link("log odds of the score" + ("" if float(given) == 1 else f" / {given}"))
    return _LINKS.get(name, IDENTITY)


_LOG = Link("logarithm of the score")
_LINKS = {
    "cross_entropy": Link("log odds of the score"),
    "cross_entropy_lambda": Link("ln(e^score - 1)"),
    "poisson": _LOG,
    "gamma": _LOG,
    "tweedie": _LOG,
    "multiclass": Link("raw score of the class, before the softmax", is_shared=True),
}
