"""The models, players and offers in the folder of a workload, for every peer; also imported in Ray's environment."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

READ = "SELECT numbers FROM players WHERE player_id = ?"

Matrix = npt.NDArray[np.float64]


class Inputs:
    """Reads the folder of a workload: mesh.yaml, players.sqlite and, for ranked offers, offers.csv."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        catalog: Any = yaml.safe_load((folder / "mesh.yaml").read_text())
        (version,) = catalog["versions"].values()
        self.game = str(catalog["game"])
        self.model_names: list[str] = [model["name"] for model in version["models"]]
        self.model_files = [folder / model["uri"] for model in version["models"]]
        self.offer_ids: list[str] = []
        self._offers: Matrix | None = None
        if "offers" in catalog:
            with (folder / catalog["offers"]["path"]).open(newline="") as file:
                _, *rows = csv.reader(file)
            self.offer_ids = [row[0] for row in rows]
            self._offers = np.array([[float(cell) for cell in row[1:]] for row in rows])
        path = (folder / catalog["features"]["path"]).absolute()
        self._players = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)

    def rows(self, player_id: str) -> Matrix:
        """The row of a player, or one row per offer [rows, features]; raises KeyError for an unknown player."""
        found = self._players.execute(READ, (player_id,)).fetchone()
        if found is None:
            raise KeyError(player_id)
        player = np.frombuffer(found[0], dtype="<f8").reshape(1, -1)
        if self._offers is None:
            return player
        return np.hstack([np.repeat(player, len(self._offers), axis=0), self._offers])

    def best(self, scores: Matrix) -> tuple[str, float]:
        """The offer with the highest of the combined `scores` [rows], and its score; the id is empty without offers."""
        position = int(np.argmax(scores))
        return self.offer_ids[position] if self.offer_ids else "", float(scores[position])
