"""Reads the value of `--load`: a shape, or a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoscaling.cluster.load import Load
from autoscaling.cluster.load_file import read_file
from autoscaling.cluster.load_shapes import SHAPES, read_shape
from mesh.errors import Misconfigured


def read(text: str) -> Load:
    """Reads `SHAPE` or `SHAPE:key=value,...`, otherwise a CSV file; raises Misconfigured."""
    if text.partition(":")[0] in SHAPES and not Path(text).exists():
        return read_shape(text)
    return read_file(Path(text))


def read_for_games(games: Sequence[str], texts: Sequence[str]) -> list[Load]:
    """Returns the load of each of `games`; a text is `GAME=LOAD`, or a load for all games that no text names.

    Raises Misconfigured if a game has no load.
    """
    named = {text.partition("=")[0]: text.partition("=")[2] for text in texts if text.partition("=")[0] in games}
    for_all = [text for text in texts if text.partition("=")[0] not in games]
    if len(for_all) > 1:
        listed = ", ".join(dict.fromkeys(games))
        raise Misconfigured([f"--load {for_all[1]}: is the second load for all games; use GAME=LOAD, games: {listed}"])
    missing = [game for game in games if game not in named] if not for_all else []
    if missing:
        fix = f"give --load {missing[0]}=LOAD, or one load for all games"
        raise Misconfigured([f"--load: the game {missing[0]} has no load; {fix}"])
    return [read(named.get(game, for_all[0] if for_all else "")) for game in games]
