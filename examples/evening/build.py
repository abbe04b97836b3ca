"""`python -m examples.evening.build`: builds a store, and the models of 20 to 500 trees that profile.json describes.

All models are the first trees of one forest, because only their cost matters here, not their predictions.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import lightgbm
import numpy as np

from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players

FOLDER = Path(__file__).parent
FEATURES, PLAYERS, LEAVES, ROWS = 80, 2000, 63, 6000
TREES = {
    **{"whales": 500, "dolphins": 420, "minnows": 300, "window-shoppers": 240, "newcomers": 60},
    **{"veterans": 360, "lapsed": 120, "regulars": 320, "pvp": 260, "guild-leaders": 160},
    **{"loners": 100, "collectors": 200, "budget-phones": 20, "weekenders": 140, "night-owls": 80},
}


def main() -> int:
    """Trains the forest; writes the models and the store."""
    argparse.ArgumentParser(prog="python -m examples.evening.build", description=__doc__).parse_args()
    names = [f"f{number:02d}" for number in range(FEATURES)]
    rng = np.random.default_rng(0)
    values = rng.normal(size=(ROWS, FEATURES))
    labels = (rng.random(ROWS) < 1 / (1 + np.exp(-values @ rng.normal(size=FEATURES) / 4))).astype(float)
    settings = {"objective": "binary", "num_leaves": LEAVES, "min_data_in_leaf": 5, "verbosity": -1, "seed": 0}
    print(f"training {max(TREES.values())} trees", file=sys.stderr)
    forest = lightgbm.train(settings, lightgbm.Dataset(values, labels, feature_name=names), max(TREES.values()))
    (FOLDER / "build/models").mkdir(parents=True, exist_ok=True)
    for name, trees in TREES.items():
        forest.save_model(str(FOLDER / f"build/models/{name}.txt"), num_iteration=trees)
    with replacing_store(FOLDER / "build/players.sqlite", Columns(tuple(names), ())) as store:
        players = rng.normal(size=(PLAYERS, FEATURES))
        rows = (PlayerFeatures(row.astype("<f8").tobytes(), (), 0.0) for row in players)
        write_players(store, ((f"p{number}", row) for number, row in enumerate(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
