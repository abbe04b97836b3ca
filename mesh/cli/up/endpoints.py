"""The endpoints file: `mesh up` writes the addresses of the workers, the supervisor reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from mesh.cli.up.worker import Worker

Endpoint = dict[str, str]
Tree = dict[str, dict[str, dict[str, list[Endpoint]]]]


class EndpointsFile:
    """`{game: {version: {model: [{address, serves}, ...]}}}`, replaced as a whole at every change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: Tree | None = None

    def write(self, workers: Iterable[Worker]) -> None:
        """Replaces the file atomically if it changes: a reader gets the old or the new content, never a part."""
        content = tree(workers)
        if content == self._written:
            return
        self._written = content
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(content), encoding="utf-8")
        fresh.replace(self.path)


def tree(workers: Iterable[Worker]) -> Tree:
    """Returns the content of the file. Every model has a list, which is empty while no replica serves."""
    games: Tree = {}
    for worker in workers:
        replica = worker.replica
        models = games.setdefault(replica.game, {}).setdefault(replica.version, {})
        serving = models.setdefault(replica.model.name, [])
        if worker.address is not None:
            serving.append({"address": worker.address, "serves": worker.served})
    return games
