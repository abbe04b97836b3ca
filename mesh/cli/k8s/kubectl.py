"""Reads the objects of a game from a cluster with kubectl."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from autoscaling.recording import kubectl_errors
from mesh.errors import Misconfigured

KUBECTL_S = 30


def kubectl_objects(kubectl: Sequence[str], kind: str, game: str) -> list[Any]:
    """Returns the objects of a kind that belong to `game`; `kubectl` is a command with its options.

    Raises Misconfigured with the message of kubectl if it fails.
    """
    command = [*kubectl, "get", kind, "-l", f"ensemble-mesh/game={game}", "-o", "json"]
    program = kubectl[0]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=KUBECTL_S, check=False)
    except FileNotFoundError:
        raise Misconfigured([f"{program}: is not installed, but --live requires it; install it"]) from None
    except OSError as error:
        raise Misconfigured([f"{program}: cannot be run: {error.strerror}; --live requires it"]) from None
    except subprocess.TimeoutExpired:
        problem = f"the cluster did not respond within {KUBECTL_S} s"
        raise Misconfigured([f"{problem}; try again, or compare with --rendered"]) from None
    if done.returncode:
        message = done.stderr.strip()
        if kubectl_errors.is_unreachable(message):
            raise Misconfigured([kubectl_errors.unreachable(message)])
        raise Misconfigured(
            message.splitlines() or [f"{program}: ended with exit code {done.returncode} and no message"]
        )
    try:
        items: list[Any] = json.loads(done.stdout)["items"]
    except (ValueError, KeyError, TypeError):
        problem = f"{program}: the response is not a list: {done.stdout[:80]!r}"
        raise Misconfigured([f"{problem}; is it kubectl?"]) from None
    return items
