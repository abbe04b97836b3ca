"""Prints a decision: its explanation under the name of the Deployment, or one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence


def print_decision(name: str, at_s: float, replicas: int, lines: Sequence[str], as_json: bool) -> None:
    """Prints the decision of the Deployment `name` at `at_s` for `replicas`; `lines` explain it."""
    if as_json:
        print(json.dumps({"name": name, "t_s": at_s, "replicas": replicas, "lines": list(lines)}))
    else:
        print("\n".join((name, *(f"  {line}" for line in lines))))
