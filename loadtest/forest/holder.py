"""A process that holds one model as a worker does, for its memory to be looked at.

Run as `python -P -m loadtest.forest.holder MODEL LIBRARY [ENGINE]`; says `{"event": "ready"}` and waits to be ended.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from model_worker.forest.loader import load

if TYPE_CHECKING:
    from model_worker.forest import Forest


def main(path: str, library: str, engine: str | None) -> None:
    """Never returns."""
    forest = _read(path, library, engine)
    print('{"event": "ready"}', flush=True)
    while forest:
        signal.pause()


def _read(path: str, library: str, engine: str | None) -> Forest:
    """The model, loaded and warm; its text is gone by then."""
    with open(path, "rb") as file:  # noqa: PTH123 (as little beside the model as can be)
        forest, _ = load(file.read(), library, 1, engine, None)
        return forest


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
