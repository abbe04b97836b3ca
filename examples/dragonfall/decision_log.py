"""What the decision log says about the demo: which offers earned more, and why a player saw an offer."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from examples.dragonfall.backend import GAME
from examples.dragonfall.build import CATALOG
from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.mesh_command import run_mesh, show_mesh
from mesh.catalog import catalog as catalogs
from mesh.decisions.log import open_log

LIMIT_S = 60.0


def check_log(since: datetime, decisions: int, outcomes: int) -> None:
    """Raises ExampleFailed unless the log has all decisions since a time, and all outcomes, exactly once."""
    block = catalogs.load(CATALOG).decisions
    assert block is not None
    with open_log(block.to) as log:
        found = (len(log.decisions(GAME, since)), len(log.outcomes(GAME, since)))
    if found != (decisions, outcomes):
        raise ExampleFailed(
            f"{block.to}: has {found[0]} decisions and {found[1]} outcomes of {decisions} and {outcomes}"
        )


def show_log(since: datetime, decision_id: str) -> None:
    """Shows the report of the decisions since a time, and the explanation of one of them."""
    for words in _report(since), _explanation(decision_id):
        print(f"\n$ mesh {' '.join(words)}", flush=True)
        show_mesh(words, LIMIT_S)


def read_log(since: datetime, decision_id: str) -> dict[str, Any]:
    """Returns what `show_log` shows, as values."""
    report, explained = (
        json.loads(run_mesh([*words, "--json"], LIMIT_S)) for words in (_report(since), _explanation(decision_id))
    )
    return {"report": report, "explained": explained}


def _report(since: datetime) -> list[str]:
    return ["decisions", "report", _catalog(), "--from", since.isoformat(timespec="seconds")]


def _explanation(decision_id: str) -> list[str]:
    return ["explain", decision_id, _catalog(), "--top", "5"]


def _catalog() -> str:
    """The path of the catalog as a user would write it."""
    here = Path.cwd()
    return str(CATALOG.relative_to(here) if CATALOG.is_relative_to(here) else CATALOG)
