"""The catalogs of the comparison: without a log, with a log, and with a log whose folder cannot be written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from loadtest.workloads import TrainedEnsemble, catalog_of

OFF, ON, DEAD = "off", "on", "dead"
LOG = "decision-log"
# A file every two seconds, so that each measurement has its share of the files; the default of 30 s costs less.
FLUSH_S = 2


def write_catalogs(ensemble: TrainedEnsemble, folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Writes the catalogs `names` into `folder`; returns their files by name. Removes the log of an earlier run."""
    shutil.rmtree(folder / LOG, ignore_errors=True)
    blocker = folder / "not-a-folder"
    blocker.write_text("")
    places = {ON: LOG, DEAD: f"{blocker.name}/{LOG}"}
    files = {}
    for name in names:
        catalog: dict[str, Any] = catalog_of(ensemble)
        if name in places:
            catalog["decisions"] = {"to": places[name], "flush_s": FLUSH_S}
        files[name] = f"decisions-{name}.yaml"
        (folder / files[name]).write_text(yaml.safe_dump(catalog, sort_keys=False))
    return files
