"""`python -m k8s.monitoring.dashboards [--check]`: writes Grafana's dashboards, or reports stale ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from k8s.monitoring.game import GAME
from k8s.monitoring.models import MODELS
from k8s.monitoring.supervisor import SUPERVISOR

FOLDER = Path(__file__).parent.parent / "chart" / "files" / "dashboards"

DASHBOARDS = {"game": GAME, "models": MODELS, "supervisor": SUPERVISOR}


def files() -> dict[Path, str]:
    """The text of each file to write, by path."""
    return {FOLDER / f"{name}.json": dashboard.json() for name, dashboard in DASHBOARDS.items()}


def main(arguments: Sequence[str]) -> int:
    """Writes the files; with --check, prints the stale files and returns 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m k8s.monitoring.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file is stale")
    if not parser.parse_args(arguments).check:
        FOLDER.mkdir(exist_ok=True)
        for path, text in files().items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path.name for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text]
    if stale:
        print(f"stale files in {FOLDER}: {', '.join(stale)}; run `make dashboards` and commit them", file=sys.stderr)
        return 1
    print(f"the {len(DASHBOARDS)} dashboards are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
