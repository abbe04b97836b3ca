"""Makes the reference of a version from rows of the training: bins of the features, and scores by LightGBM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mesh.category_lists import Category, codes_of
from mesh.drift.bins import edges_of, frequent, padded, places_of_numbers
from mesh.drift.disagreement import disagreement_of
from mesh.drift.reference import Distribution, Reference
from mesh.model_file import ModelHeader
from mesh.reference import boosters

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one feature: `values` without repetitions, and the place of each row's value, -1 if missing."""

    places: NDArray[np.intp]
    values: Sequence[Category]

    def numbers(self) -> Numbers:
        """Returns the value of each row as a number, NaN if missing; raises ValueError for a text."""
        return self.coded([float(value) for value in self.values])

    def coded(self, codes: Sequence[float]) -> Numbers:
        """Returns the code of each row's value, NaN if missing. `codes` belong to `values`."""
        return np.array([*codes, np.nan])[self.places]  # place -1 is the last one


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model file of this machine, whose header has no open lists of categories.

    Its score is that of `class_index`. None: nobody knows which of several classes it is, and the scores are left out.
    """

    name: str
    path: Path
    sha256: str
    header: ModelHeader
    class_index: int | None = 0


def make_reference(models: Sequence[TrainedModel], columns: Mapping[str, Column], left_out: Iterable[str]) -> Reference:
    """Returns the reference of the models that vote in a version; `columns` has all their features.

    The features `left_out` get no distribution. Raises ValueError, with the feature's name, for a text in a feature
    that has no categories in a model.
    """
    known: dict[str, dict[Category, None]] = {}
    for model in models:
        for name, values in model.header.categories.items():
            known.setdefault(name, {}).update(dict.fromkeys(values))
    names = dict.fromkeys(name for model in models for name in model.header.feature_names)
    wanted = [name for name in names if name not in set(left_out)]
    scores = {model.name: _scores(model, columns) for model in models if model.class_index is not None}
    distributions = {name: _of_scores(values) for name, values in scores.items()}
    return Reference(
        rows=len(next(iter(columns.values())).places),
        features={
            name: category_distribution(columns[name], tuple(known[name]))
            if name in known
            else _of_numbers(name, columns)
            for name in wanted
        },
        scores=distributions,
        models={model.name: model.sha256 for model in models if model.name in scores},
        disagreement=_of_disagreement(scores, distributions),
    )


def number_distribution(values: Numbers, *, has_moments: bool = False) -> Distribution:
    """Returns the distribution of `values`, NaN if missing; `has_moments` for scores."""
    present = values[~np.isnan(values)]
    edges = edges_of(present)
    places = places_of_numbers(present[:, None], padded([edges]))[:, 0]
    has_moments = has_moments and len(present) > 0
    return Distribution(
        counts=tuple(np.bincount(places, minlength=len(edges) + 1).tolist()),
        missing=len(values) - len(present),
        edges=edges,
        mean=float(present.mean()) if has_moments else 0.0,
        deviation=float(present.std()) if has_moments else 0.0,
    )


def category_distribution(column: Column, known: Sequence[Category]) -> Distribution:
    """Returns the distribution of a column; `known` are the categories of all models, as in the model files."""
    codes = codes_of(known)
    found = column.coded([codes.get(value, -1.0) for value in column.values])
    present = found[found >= 0].astype(np.intp)
    counts = dict(zip(known, np.bincount(present, minlength=len(known)).tolist(), strict=True))
    own = frequent(counts)
    others = sum(count for value, count in counts.items() if value not in set(own))
    return Distribution(
        counts=(*(counts[value] for value in own), others),
        missing=int(np.isnan(found).sum()),
        categories=own,
        unseen=int((found < 0).sum()),
    )


def _of_numbers(name: str, columns: Mapping[str, Column]) -> Distribution:
    return number_distribution(_numbers(name, columns))


def _numbers(name: str, columns: Mapping[str, Column]) -> Numbers:
    try:
        return columns[name].numbers()
    except ValueError as error:
        raise ValueError(f"{name!r} has texts, but no categories in the models") from error


def _of_scores(scores: Numbers) -> Distribution:
    return number_distribution(scores, has_moments=True)


def _of_disagreement(scores: Mapping[str, Numbers], distributions: Mapping[str, Distribution]) -> Distribution | None:
    if len(scores) < 2:
        return None
    votes = np.array([scores[name] for name in distributions]).T
    return _of_scores(disagreement_of(votes, list(distributions.values())))


def _scores(model: TrainedModel, columns: Mapping[str, Column]) -> Numbers:
    """Returns the scores of all rows as a worker returns them [rows]."""
    header, rows = model.header, len(next(iter(columns.values())).places)
    matrix = np.empty((rows, len(header.feature_names)))
    for at, name in enumerate(header.feature_names):
        if name in header.categories:
            codes = codes_of(header.categories[name])
            matrix[:, at] = columns[name].coded([codes.get(value, np.nan) for value in columns[name].values])
        else:
            matrix[:, at] = _numbers(name, columns)
    return boosters.predict_matrix(boosters.load(model.path), matrix, threads=1)[:, model.class_index or 0]
