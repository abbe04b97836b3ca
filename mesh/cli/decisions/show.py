"""`mesh decisions show`: one logged decision as a person reads it."""

from __future__ import annotations

import argparse
import json

from mesh.cli.decisions import show_view, shown
from mesh.cli.explain.decision_cases import unknown
from mesh.cli.main import DONE
from mesh.decisions.log import open_log
from mesh.errors import NotFound


def run(arguments: argparse.Namespace) -> int:
    """Prints the decision. Raises NotFound for an unknown id, Misconfigured for a damaged id or log."""
    with open_log(arguments.log) as log:
        found = shown.read(log, arguments.decision)
        if found is None:
            raise NotFound(unknown(arguments.decision, log.name))
    if arguments.json:
        print(json.dumps(shown.as_json(found), ensure_ascii=False))
    else:
        show_view.print_decision(found, arguments.top)
    return DONE
