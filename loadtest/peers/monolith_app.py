"""The monolith of old: Flask, every process with all models, which predict one after the other.

Reads what it serves from the environment: MONOLITH_MODELS, a folder of LightGBM text models, and
MONOLITH_PLAYERS, the mesh's own SQLite file of players.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

READ = "SELECT numbers FROM players WHERE player_id = ?"


def create_app() -> Any:
    """The WSGI application. Loads every model before it answers anything."""
    import flask

    score = _scorer(Path(os.environ["MONOLITH_MODELS"]), Path(os.environ["MONOLITH_PLAYERS"]))
    app = flask.Flask("monolith")

    @app.post("/score")
    def _score() -> Mapping[str, float]:
        return {"score": score(flask.request.get_json()["player_id"])}

    @app.get("/process")
    def _process() -> Mapping[str, int]:
        return {"pid": os.getpid()}

    return app


def _scorer(models: Path, players: Path) -> Callable[[str], float]:
    import lightgbm

    boosters = [lightgbm.Booster(model_file=path) for path in sorted(models.glob("*.txt"))]
    database = sqlite3.connect(f"{players.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def score(player_id: str) -> float:
        (packed,) = database.execute(READ, (player_id,)).fetchone()
        row = np.frombuffer(packed, dtype="<f8").reshape(1, -1)
        return float(np.mean([booster.predict(row, num_threads=1)[0] for booster in boosters]))

    return score
