"""Replays decisions: scores their logged rows again with the same models, and compares all results with the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from mesh.decisions.side_files import SideFiles
from mesh.reference.logged.comparison import Difference, Replayed
from mesh.reference.logged.requests import by_ensemble
from mesh.reference.logged.scoring import Forests, combined


@dataclass(slots=True)
class ReplayResult:
    """The decisions that were replayed, those with differences, and the reasons of those that cannot be replayed.

    `first` is the first difference by time and decision id. `votes` were compared, of `candidates`.
    """

    replayed: int = 0
    different: int = 0
    candidates: int = 0
    votes: int = 0
    partial: int = 0
    explored: int = 0
    first: Difference | None = None
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, differences: list[Difference]) -> None:
        """Counts differences of decisions."""
        self.different += len(differences)
        known = [] if self.first is None else [self.first]
        self.first = min((*known, *differences), key=lambda one: (one.time, one.decision_id), default=None)


class Replay:
    """Replays the decisions of one game. `models` are the files of the models by SHA-256."""

    def __init__(self, files: SideFiles, models: Mapping[str, Path]) -> None:
        self._files = files
        self._forests = Forests(models)
        self.result = ReplayResult()

    def add(self, table: pa.Table) -> None:
        """Replays the decisions of `table`, which has the columns of `COLUMNS`."""
        result = self.result
        for decisions in by_ensemble(self._files, table, result.skipped):
            ensemble, requests = decisions.ensemble, decisions.requests
            layouts = {name: self._files.layout(name) for name in ensemble.layouts}
            votes = self._forests.votes(ensemble.models, layouts, requests)
            scores = combined(ensemble, votes, requests.bounds, decisions.missing)
            result.add(Replayed(decisions, votes, scores).differences())
            result.replayed += len(requests.counts)
            result.candidates += len(requests.picks)
            result.votes += int((decisions.votes == decisions.votes).sum())
            result.partial += sum(map(bool, decisions.missing))
            result.explored += sum(map(bool, decisions.table["explored"].to_pylist()))
