"""How a decision is told: its lines under the Deployment's name, or one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence


def tell_decision(name: str, at_s: float, replicas: int, lines: Sequence[str], as_json: bool) -> None:
    """Prints the decision of `name` at `at_s`, which came to `replicas`, for `lines` of reasons."""
    if as_json:
        print(json.dumps({"name": name, "t_s": at_s, "replicas": replicas, "lines": list(lines)}))
    else:
        print("\n".join((name, *(f"  {line}" for line in lines))))
