"""Monitor: counts the samples of one version in two windows, so that old requests are forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mesh.drift.bins import padded, places_of_numbers
from mesh.drift.counts import DISAGREEMENT, SCORE, Counts, Layout, no_counts
from mesh.drift.disagreement import disagreement_of
from mesh.drift.findings import MIN_SAMPLES
from mesh.drift.reference import Reference

WINDOW_S = 120.0
MAX_WINDOW_S = 3600.0  # a window of few requests is kept for this long, even without enough samples
Places = NDArray[np.intp]


class Monitor:
    """The counts of a version whose models are `models`, in the order of their votes.

    The figures are those of the current window and the one before. A window ends after `WINDOW_S`, once it has
    `MIN_SAMPLES`, and after `MAX_WINDOW_S` in any case. Written on the event loop; any thread may call `counts`.
    `clock` is monotonic, in seconds.
    """

    def __init__(
        self, reference: Reference, models: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.reference = reference
        self.models = tuple(models)
        self.layout = Layout(reference)
        self.sampled = 0
        self._clock = clock
        self._windows = (no_counts(self.layout), no_counts(self.layout))  # before, current
        self._began_s = clock()
        self._voters = np.array([at for at, name in enumerate(models) if name in reference.scores], np.intp)
        keys = [(SCORE, models[at]) for at in self._voters]
        self._scored = [reference.scores[name] for _, name in keys]
        keys += [(DISAGREEMENT, "")] if reference.disagreement is not None else []
        self._edges = padded([self.layout.distributions[key].edges for key in keys])
        self._starts = np.array([self.layout.start_of[key] for key in keys], np.intp)
        self._missing = np.array([self.layout.missing_of(key) for key in keys], np.intp)
        self._sums_at = np.array([self.layout.keys.index(key) for key in keys], np.intp)

    def add(self, features: Places, votes: NDArray[np.float64]) -> None:
        """Counts samples: the places of their `features` [samples, features], and their `votes` [samples, models]."""
        self._rotate()
        scores = votes[:, self._voters]
        if self.reference.disagreement is not None:
            scores = np.column_stack((scores, self._disagreement(scores)))
        missing = np.isnan(scores)
        places = np.where(missing, self._missing, places_of_numbers(scores, self._edges)) + self._starts
        found = np.concatenate((features.ravel(), places.ravel()))
        sums = np.zeros(len(self.layout.keys))
        sums[self._sums_at] = np.where(missing, 0.0, scores).sum(axis=0)
        more = Counts(len(votes), np.bincount(found, minlength=self.layout.size), sums)
        before, current = self._windows
        self._windows = (before, current.plus(more))  # one assignment: another thread reads both
        self.sampled += len(votes)

    def counts(self) -> Counts:
        """Returns the counts of both windows; none if the requests ended long ago."""
        before, current = self._windows
        if self._clock() >= self._began_s + 2 * MAX_WINDOW_S:
            return no_counts(self.layout)
        return before.plus(current)

    def _rotate(self) -> None:
        now_s, current = self._clock(), self._windows[1]
        age_s = now_s - self._began_s
        if age_s < WINDOW_S or (age_s < MAX_WINDOW_S and current.samples < MIN_SAMPLES):
            return
        is_old = age_s >= 2 * MAX_WINDOW_S
        self._windows = (no_counts(self.layout) if is_old else current, no_counts(self.layout))
        self._began_s = now_s

    def _disagreement(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        if len(self._scored) < len(self.reference.scores):  # a model of the reference has no vote any more
            return np.full(len(scores), np.nan)
        return disagreement_of(scores, self._scored)
