"""Votes and scores of logged decisions, by LightGBM's package and the combination rules in plain Python."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mesh.decisions.side_files import Ensemble, Layout, LoggedModel
from mesh.errors import Misconfigured
from mesh.reference import boosters
from mesh.reference.combination import combine
from mesh.reference.logged.requests import Requests
from mesh.reference.logged.rows import full_rows

MAX_ROWS = 32_768  # of a matrix, which has at most some hundred MB then
THREADS = os.cpu_count() or 1


class Forests:
    """The models by the SHA-256 of their `files`, each loaded once, when it is first asked."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        self._boosters: dict[str, Any] = {}

    def votes(
        self, models: Sequence[LoggedModel], layouts: Mapping[str, Layout], requests: Requests
    ) -> NDArray[np.float64]:
        """Returns the vote of each model for each candidate [candidates, models], NaN for a model without a layout.

        Raises Misconfigured if a model has other features than its layout.
        """
        votes = np.full((len(requests.picks), len(models)), np.nan)
        for name in dict.fromkeys(model.layout for model in models if model.layout):
            members = [(place, model) for place, model in enumerate(models) if model.layout == name]
            for first, last, part in _parts(requests, layouts[name], name):
                for place, model in members:
                    votes[first:last, place] = self._vote(model, part)
        return votes

    def _vote(self, model: LoggedModel, part: _Part) -> NDArray[np.float64]:
        booster = self._booster(model)
        if booster.num_feature() != part.rows.shape[1]:
            problem = f"{model.name}: has {booster.num_feature()} features, and its layout {part.rows.shape[1]}"
            raise Misconfigured([f"{problem}; the log is damaged"])
        votes = boosters.predict_matrix(booster, part.rows, THREADS)[:, model.class_index or 0]
        return votes if part.repeats is None else np.repeat(votes, part.repeats)

    def _booster(self, model: LoggedModel) -> Any:
        if model.sha256 not in self._boosters:
            self._boosters[model.sha256] = boosters.load(self._files[model.sha256])
        return self._boosters[model.sha256]


class _Part(NamedTuple):
    """Rows to score. `repeats`: how often each score counts, if all candidates of a decision have the same row."""

    rows: NDArray[np.float64]
    repeats: NDArray[np.int64] | None


def _parts(requests: Requests, layout: Layout, name: str) -> Iterator[tuple[int, int, _Part]]:
    bounds, counts = requests.bounds, requests.counts
    for first, last in _slices(counts):
        low, high = int(bounds[first]), int(bounds[last])
        shared = requests.shared[name][first:last]
        if not layout.offer_features or requests.offers is None:
            yield low, high, _Part(shared, counts[first:last])
            continue
        features, contexts = requests.offers.features[name], requests.contexts[first:last]
        rows = full_rows(layout, shared, counts[first:last], requests.picks[low:high], features, contexts)
        yield low, high, _Part(rows, None)


def _slices(counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Divides the decisions into parts of about MAX_ROWS candidates."""
    group = np.cumsum(counts) // MAX_ROWS
    edges = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(counts)]
    return list(itertools.pairwise(edges))


def combined(
    ensemble: Ensemble, votes: NDArray[np.float64], bounds: NDArray[np.int64], missing: Sequence[frozenset[str]]
) -> NDArray[np.float64]:
    """Returns the score of each candidate [candidates] from `votes` [candidates, models].

    The models that are `missing` [decisions] do not count in a decision.
    """
    scores = np.empty(len(votes))
    for lacking in set(missing):
        decisions = [at for at, names in enumerate(missing) if names == lacking]
        voters = [place for place, model in enumerate(ensemble.models) if model.name not in lacking]
        weights = [ensemble.models[place].weight for place in voters]
        spans = [slice(int(bounds[at]), int(bounds[at + 1])) for at in decisions]
        if ensemble.combine.kind != "rank_mean":  # which alone compares the candidates of a decision
            chosen = np.concatenate([np.arange(span.start, span.stop) for span in spans])
            scores[chosen] = combine(ensemble.combine, votes[chosen][:, voters].tolist(), weights)
            continue
        for span in spans:
            scores[span] = combine(ensemble.combine, votes[span][:, voters].tolist(), weights)
    return scores
