"""The JSON document of a simulation, which `mesh hpa simulate --json` writes and `mesh hpa explain --result` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autoscaling.cluster.monolith import Monolith
from autoscaling.cluster.queueing_model import Floats
from autoscaling.cluster.results import DeploymentSeries, GameResult, summary
from mesh.errors import Misconfigured

Json = Mapping[str, Any]


def as_json(result: GameResult, monolith: Monolith, explanations: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Returns the document of one game; `explanations` are those of the rescales, by Deployment."""
    return {
        "game": result.game,
        "load": result.load,
        "start_s": result.start_s,
        "step_s": result.step_s,
        "sums": summary(result),
        "monolith": asdict(monolith),
        "rps": _rounded(result.rps),
        "p95_ms": _rounded(1000 * result.p95_s),
        "full": _rounded(result.full),
        "deployments": [_deployment(one, explanations[one.name]) for one in result.deployments],
    }


def read(file: Path) -> list[dict[str, Any]]:
    """Reads the start and the Deployments of each game; raises Misconfigured if `file` is not such a document."""
    try:
        games = json.loads(file.read_text(encoding="utf-8"))
        return [{key: game[key] for key in ("start_s", "deployments")} for game in games]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Misconfigured([f"{file}: is not a result of `mesh hpa simulate --json`: {error}"]) from error


def find_deployment(games: Sequence[Json], file: Path, model: str | None, version: str) -> tuple[Json, Json]:
    """Returns the game and the Deployment of `model`; raises Misconfigured if there is none."""
    suffix = f"-{version}-{model}" if version else f"-{model}"
    found = [
        (game, one)
        for game in games
        for one in game["deployments"]
        if model is not None and one["name"].endswith(suffix)
    ]
    if not found:
        known = ", ".join(one["name"] for game in games for one in game["deployments"])
        raise Misconfigured([f"--model: there is no {model!r} in {file}; the Deployments are {known}"])
    # A name may be the end of another name (whales, killer-whales). The shortest has only the model after the version.
    return min(found, key=lambda one: len(one[1]["name"]))


def last_rescale(deployment: Json, at_s: float) -> Json | None:
    """Returns the last rescale at or before `at_s`; None if there is none."""
    before: list[Json] = [change for change in deployment["rescales"] if change["at_s"] <= at_s]
    return before[-1] if before else None


def _deployment(series: DeploymentSeries, explanations: Sequence[str]) -> dict[str, Any]:
    rescales = [
        {"at_s": one.at_s, "from": one.before, "to": one.after, "why": text.splitlines()}
        for one, text in zip(series.rescales, explanations, strict=True)
    ]
    return {
        "name": series.name,
        "min": series.min_replicas,
        "max": series.max_replicas,
        "target_percent": series.target_percent,
        "replicas": series.replicas.astype(int).tolist(),
        "ready": series.ready.astype(int).tolist(),
        "cpu_percent": _rounded(series.percent),
        "rescales": rescales,
    }


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]
