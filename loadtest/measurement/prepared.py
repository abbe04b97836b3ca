"""The folder of a trained ensemble: its models, catalog and players."""

from __future__ import annotations

from pathlib import Path

from loadtest.measurement.plan import Plan
from loadtest.peers import mesh
from loadtest.workload_files import prepare
from loadtest.workloads import TrainedEnsemble


async def prepared_folder(ensemble: TrainedEnsemble, plan: Plan) -> Path:
    """Trains the models that are missing, loads the players, and returns the folder of the game."""
    prepare(ensemble, plan.folder, plan.progress)
    folder = plan.folder / ensemble.game
    await mesh.load_features(folder, plan.logs)
    return folder
