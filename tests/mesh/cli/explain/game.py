"""A small game with real models, whose features come from the store, the context and the offers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mesh.cli.main import main
from tests.forests import Params, fit, pandas_frame

CATALOG = """game: arena
features: {path: players.sqlite}
context: {platform: text}
offers: {path: offers.csv, fallback: small, rank_by: expected_revenue}
versions:
  "2026-11":
    combine: {combine}
    models:
{models}"""
OFFERS = "offer_id,price,tier\nsmall,1.99,10\nlarge,19.99,50\nodd,4.99,35\n"
PLAYERS = "player_id,f0,f2,f3,f5\np1,0.5,-1.25,,2\np2,-0.5,1,0,0.25\n"
BINARY: Params = {"objective": "binary", "min_data_per_group": 5, "cat_smooth": 1}
REGRESSION: Params = {**BINARY, "objective": "regression"}


def write_game(folder: Path, params: Params, combine: str = "{kind: mean}", models: int = 3) -> Path:
    """Writes the game into `folder`; returns its catalog. Each model has other training rows."""
    names = [f"m{number}" for number in range(models)]
    for seed, name in enumerate(names):
        train(folder / f"{name}.txt", params, seed)
    lines = "".join(f"      - {{name: {name}, uri: {name}.txt, weight: {1 + at}}}\n" for at, name in enumerate(names))
    catalog = folder / "mesh.yaml"
    catalog.write_text(CATALOG.replace("{combine}", combine).replace("{models}", lines))
    (folder / "offers.csv").write_text(OFFERS)
    (folder / "players.csv").write_text(PLAYERS)
    assert main(["features", "load", str(folder / "players.csv"), "--catalog", str(catalog)]) == 0
    return catalog


def train(path: Path, params: Params, seed: int) -> None:
    """Trains a model on the features f0, f2, f3, f5, platform and tier."""
    rng = np.random.default_rng(seed)
    frame = pandas_frame(rng, 400)
    likes = frame["platform"].isin(["ios", "wéb"]).to_numpy() + (frame["tier"].astype(float) > 25).to_numpy()
    value = np.nan_to_num(frame["f0"].to_numpy()) + likes + 0.3 * np.nan_to_num(frame["f5"].to_numpy())
    labels = (value > 1).astype(np.float64) if params["objective"] == "binary" else value
    fit(frame, labels, params).save_model(path)
