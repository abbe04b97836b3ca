"""The inputs files of the workers of `mesh up`, when the catalog changes."""

from __future__ import annotations

import json
from pathlib import Path

from mesh.catalog.catalog import Catalog
from mesh.cli.up.fleet import Fleet
from mesh.cli.up.plan import replicas_of
from tests.mesh.cli.up.test_fleet import OPTIONS, Recorder


def catalog(model: str, **context: str) -> Catalog:
    versions = {"1": {"models": [{"name": name, "uri": f"{name}.txt"} for name in ("kept", model)]}}
    return Catalog.model_validate({"game": "g", "features": {"path": "p"}, "context": context, "versions": versions})


def context_of(words: list[str]) -> dict[str, str]:
    """The context in the inputs file that a worker's command names."""
    context: dict[str, str] = json.loads(Path(words[words.index("--inputs") + 1]).read_text())["context"]
    return context


def test_worker_that_is_not_wanted_any_more_keeps_the_inputs_of_its_catalog(tmp_path: Path) -> None:
    before, after = catalog("old", level="number"), catalog("new", weekend="boolean")
    fleet = Fleet([tmp_path / "mesh.yaml"], [], OPTIONS, tmp_path, Recorder())
    fleet.workers._start = lambda _: None
    for one in (before, after):
        fleet.write_inputs([one])
        fleet.workers.want(list(replicas_of([one], 1)))
    found = {worker.replica.model.name: context_of(list(worker.child._command(None))) for worker in fleet.workers}
    assert found == {"kept": {"weekend": "boolean"}, "old": {"level": "number"}, "new": {"weekend": "boolean"}}
