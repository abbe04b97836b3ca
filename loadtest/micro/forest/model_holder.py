"""A process that holds one model as a worker does, to measure its memory.

`python -P -m loadtest.micro.forest.model_holder MODEL LIBRARY [ENGINE]` prints `{"event": "ready"}` and waits for a
signal.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from model_worker.forest.loader import load

if TYPE_CHECKING:
    from model_worker.forest import Forest


def main(path: str, library: str, engine: str | None) -> None:
    """Loads the model and waits; never returns."""
    forest = _read(path, library, engine)
    print('{"event": "ready"}', flush=True)
    while forest:
        signal.pause()


def _read(path: str, library: str, engine: str | None) -> Forest:
    """Loads and warms up the model; keeps no copy of its text."""
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib would add memory)
        forest, _ = load(file.read(), library, 1, engine, None)
        return forest


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
