"""The application of the monolith: Flask; every process holds all models, which predict one after the other.

Environment variables: MONOLITH_FOLDER is the folder of the workload; MONOLITH_MEDIAN_S and MONOLITH_SIGMA, for
simulated models only, are the parameters of the time of a row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.peers.inputs import Inputs, Matrix
from loadtest.simulated.model import endless_s
from loadtest.simulated.service_times import Lognormal

Predict = Callable[[Matrix], Matrix]


def create_app() -> Any:
    """The WSGI application; loads every model before the first answer."""
    import flask

    inputs = Inputs(Path(os.environ["MONOLITH_FOLDER"]))
    models = simulated_models(inputs) if "MONOLITH_MEDIAN_S" in os.environ else trained_models(inputs)
    app = flask.Flask("monolith")

    @app.post("/score")
    def _score() -> Mapping[str, float]:
        return {"score": float(scores()[0])}

    @app.post("/offer")
    def _offer() -> Mapping[str, str | float]:
        offer_id, score = inputs.best(scores())
        return {"offer_id": offer_id, "score": score}

    @app.get("/process")
    def _process() -> Mapping[str, int]:
        return {"pid": os.getpid()}

    def scores() -> Matrix:
        rows = inputs.rows(flask.request.get_json()["player_id"])
        mean: Matrix = np.mean([predict(rows) for predict in models], axis=0)
        return mean

    return app


def trained_models(inputs: Inputs) -> Sequence[Predict]:
    """Models in LightGBM's Python package, with one thread."""
    import lightgbm

    def predictor(path: Path) -> Predict:
        booster = lightgbm.Booster(model_file=path)
        return lambda rows: np.asarray(booster.predict(rows, num_threads=1))

    return [predictor(path) for path in inputs.model_files]


def simulated_models(inputs: Inputs) -> Sequence[Predict]:
    """Models that sleep for the time of a row; the score of a row is its first feature."""
    service = Lognormal(float(os.environ["MONOLITH_MEDIAN_S"]), float(os.environ["MONOLITH_SIGMA"]))
    needed_s = endless_s(service, np.random.default_rng())

    def predict(rows: Matrix) -> Matrix:
        time.sleep(sum(next(needed_s) for _ in rows))
        return rows[:, 0]

    return [predict] * len(inputs.model_names)
