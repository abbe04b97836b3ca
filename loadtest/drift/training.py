"""The reference of a workload, made with `mesh drift reference` of rows like those of its requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from loadtest.errors import CannotMeasure
from loadtest.workload_files import offers_of, players_of
from loadtest.workloads import VERSION, TrainedEnsemble, feature_names
from mesh.cli import main as command

_ROWS = 5_000


def write_reference(ensemble: TrainedEnsemble, folder: Path, catalog: Path, to: Path) -> None:
    """Writes the reference of random players, each with a random offer; raises CannotMeasure if it fails."""
    rng = np.random.default_rng(5)
    parts = [np.array(list(players_of(ensemble).values()))]
    if ensemble.offer_features:
        parts.append(np.array(list(offers_of(ensemble).values())))
    rows = np.hstack([part[rng.integers(len(part), size=_ROWS)] for part in parts])
    columns = dict(zip(feature_names(ensemble), rows.T, strict=True))
    path = folder / "training.parquet"
    pyarrow.parquet.write_table(pa.table(columns), path)
    words = ["drift", "reference", str(path), "--catalog", str(catalog), "--version", VERSION, "--to", str(to)]
    if command.main(words):
        raise CannotMeasure("the reference could not be made; the message is above")
