"""The chart's pods in operation: probes, volumes, preStop and HPAs, from the first answer to their replacement.

`pytest -s` shows the measured figures.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.backend import Backend, calling
from tests.cluster.conftest import command, temporary
from tests.cluster.kubectl import Cluster, Namespace, Values
from tests.cluster.releases import Release
from tests.cluster.small_game import DOWN_AT_ONCE, GAME, PLAYERS, WHALES_PERCENT, SmallGame, deployment
from tests.cluster.waiting import until, until_true

WHALES, ASIA, SUPERVISOR = deployment("whales"), deployment("asia"), f"{GAME}-supervisor"
WORKERS = f"ensemble-mesh/game={GAME},app.kubernetes.io/component=model-worker"
SUPERVISORS = f"ensemble-mesh/game={GAME},app.kubernetes.io/component=supervisor"
MODELS = 15
START_S = 240.0
SCALE_S = 240.0
REPLACED_S = 300.0
BACK_S = 120.0
RATE_RPS = 20.0
CONTEXT = ("session_minutes=12", "platform=ios", "is_weekend=true")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def mesh(running_pods: Cluster, helm: str, game: SmallGame) -> Iterator[Namespace]:
    """A namespace with the small game, installed and ready."""
    with temporary(running_pods) as namespace:
        game.put_files(namespace)
        started_s = time.monotonic()
        whales = {"hpa": {"cpu_percent": WHALES_PERCENT, "behavior": DOWN_AT_ONCE}}
        Release(helm, namespace, GAME).install(game.changed({"whales": whales}))
        until(lambda: settled(namespace), START_S, "every pod is ready, and no HPA scales")
        print(f"\nready and settled after {time.monotonic() - started_s:.0f} s: {namespace.replicas()}")
        yield namespace


def settled(namespace: Namespace) -> bool:
    """Whether exactly the expected pods exist, all are ready, and every HPA is idle."""
    states = [ready(pod) for pod in namespace.all("pods")]
    return all(states) and len(states) == sum(namespace.replicas().values()) and all(map(idle, namespace.all("hpa")))


def idle(scaler: Values) -> bool:
    """Whether an HPA is at its min and sees less CPU than half of its target."""
    seen = [one["containerResource"]["current"] for one in scaler["status"].get("currentMetrics") or () if one["type"]]
    (target,) = [one["containerResource"]["target"]["averageUtilization"] for one in scaler["spec"]["metrics"]]
    at_min = scaler["status"].get("currentReplicas") == scaler["spec"]["minReplicas"]
    return at_min and [one for one in seen if one["averageUtilization"] < target / 2] == seen != []


def ready(pod: Values) -> bool:
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions") or ()}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def test_every_score_of_every_supervisor_equals_lightgbms(mesh: Namespace, game: SmallGame, tmp_path: Path) -> None:
    assert len(models(mesh)) == MODELS
    addresses = sorted(mesh.ready(SUPERVISOR))
    assert len(addresses) == mesh.replicas()[SUPERVISOR]
    for address in addresses:
        report = checked(address, game.catalog, tmp_path)
        print(f"\n{address}: {report['requests']} requests, {report['classes']}")
        assert (report["classes"]["wrong"], report["classes"]["error"], report["classes"]["unsent"]) == (0, 0, 0)
        assert report["classes"]["full"] >= 0.9 * report["requests"]


def checked(address: str, catalog: Path, folder: Path) -> dict[str, Any]:
    """The report of a load test that compares every score with LightGBM's."""
    words = ["--address", address, "--game", GAME, "--players", str(PLAYERS), "--rate", str(RATE_RPS), "--seconds", "5"]
    words += [word for pair in CONTEXT for word in ("--context", pair)]
    words += ["--check", "--catalog", str(catalog), "--json", "--out", str(folder / "run.json")]
    loadtest = [sys.executable, "-m", "loadtest", "run", *words]
    done = subprocess.run(loadtest, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


async def test_load_scales_only_the_model_whose_hpa_is_tuned_for_it(mesh: Namespace) -> None:
    await until_true(lambda: settled(mesh), START_S, "the mesh is at rest")
    at_rest = models(mesh)
    seen, others = [at_rest.pop(WHALES)], [at_rest]

    def whales() -> int:
        replicas = models(mesh)
        if (count := replicas.pop(WHALES)) != seen[-1]:
            seen.append(count)
        if replicas not in others:
            others.append(replicas)
        return count

    async with calling(mesh, RATE_RPS) as backend:
        await until_true(lambda: whales() > 1 and len(mesh.ready(WHALES)) > 1, SCALE_S, "load scales whales up")
        print(f"\nunder load: {mesh.run('get', 'hpa', WHALES, ASIA, '--no-headers')}")
        await backend.answers(20 * MODELS, BACK_S)
    await until_true(lambda: whales() == 1, SCALE_S, "without load whales scales down")
    print(f"\nwhales' replicas: {seen}, all other models: {others}; {backend.tally}")
    assert others == [at_rest]
    assert_no_request_failed(backend)


def models(namespace: Namespace) -> dict[str, int]:
    """The replicas that each model should have, by Deployment."""
    return {name: count for name, count in namespace.replicas().items() if name != SUPERVISOR}


@pytest.mark.parametrize("selector", [WORKERS, SUPERVISORS], ids=["every-worker", "supervisor"])
async def test_rollout_under_load_fails_no_request(mesh: Namespace, selector: str) -> None:
    await until_true(lambda: settled(mesh), START_S, "the mesh is at rest")
    before = names(mesh, selector)
    async with calling(mesh, RATE_RPS) as backend:
        await backend.whole(20, BACK_S)
        await asyncio.to_thread(mesh.run, "rollout", "restart", "deployment", "--selector", selector)
        started_s = time.monotonic()
        await until_true(lambda: replaced(mesh, selector, before), REPLACED_S, "all pods are replaced")
        took_s = time.monotonic() - started_s
        await backend.whole(20, BACK_S)
    print(f"\n{len(before)} pods replaced in {took_s:.0f} s: {backend.tally}")
    assert_no_request_failed(backend)


def names(namespace: Namespace, selector: str) -> set[str]:
    return {pod["metadata"]["name"] for pod in namespace.all("pods", selector)}


def replaced(namespace: Namespace, selector: str, before: set[str]) -> bool:
    """Whether all pods of `before` are gone and all present pods are ready."""
    pods = namespace.all("pods", selector)
    return all(ready(pod) and pod["metadata"]["name"] not in before for pod in pods) and len(pods) > 0


@pytest.mark.parametrize(("model", "replicas"), [("asia", 1), ("lapsed", 2)])
async def test_killed_worker_fails_no_request_and_is_restarted(mesh: Namespace, model: str, replicas: int) -> None:
    kill = command("MESH_TEST_KILL", "the tests cannot kill a pod's process")
    await until_true(lambda: settled(mesh), START_S, "the mesh is at rest")
    victim, *others = names(mesh, f"ensemble-mesh/model={model}")
    assert len(others) == replicas - 1
    async with calling(mesh, RATE_RPS) as backend:
        await backend.whole(20, BACK_S)
        await asyncio.to_thread(subprocess.run, [*kill, mesh.name, victim], check=True, timeout=BACK_S)
        await until_true(lambda: restarts(mesh.get("pod", victim)) == 1, BACK_S, "the worker is restarted")
        await until_true(lambda: ready(mesh.get("pod", victim)), BACK_S, "the worker is ready")
        await backend.whole(20, BACK_S)
    print(f"\nkilled {victim}: {backend.tally}")
    assert_no_request_failed(backend)


def restarts(pod: Values) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


def assert_no_request_failed(backend: Backend) -> None:
    """Every request got an answer, from the models or with the fallback."""
    assert not backend.tally.failures
    assert backend.tally.sources.total() == backend.tally.sent
