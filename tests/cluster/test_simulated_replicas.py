"""The simulator predicts the replicas that the cluster's HPAs set under a steady load."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from autoscaling import capacity_profile
from autoscaling.cluster import load_reader, model_costs
from autoscaling.cluster.simulation import simulate
from autoscaling.cluster.simulation_input import Settings, SimulationInput, model_keys
from examples.dragonfall.offers import read_offers
from mesh.catalog import catalog as catalogs
from mesh.catalog.catalog import Catalog
from tests.cluster.backend import Backend, calling
from tests.cluster.kubectl import Cluster, Namespace
from tests.cluster.releases import Release
from tests.cluster.small_game import GAME, NEVER_DOWN, SmallGame, deployment
from tests.cluster.waiting import until

RATE_RPS = 40.0
START_S = 240.0
STEADY_S, PEAK_S = 90.0, 420.0  # six ticks of every HPA; the time until then
PROFILE_S = 100.0
# The targets of the HPAs that may scale, in percent of 20m.
TARGETS = {"whales": 40, "pvp": 60, "asia": 90, "lapsed": 150}


def tuned(percent: int) -> dict[str, object]:
    """The keys of a model whose HPA has a target of `percent`."""
    hpa = {"cpu_percent": percent, "behavior": NEVER_DOWN}
    return {"resources": {"cpu": "20m"}, "replicas": {"min": 1, "max": 8}, "hpa": hpa}


@pytest.mark.timeout(1200)
async def test_peak_replicas_are_within_one_of_the_simulated(
    running_pods: Cluster, helm: str, game: SmallGame, namespace: Namespace, tmp_path: Path
) -> None:
    del running_pods
    # The simulator counts the requests of all pods against the cores, so supervisors must not request a core each.
    supervisor = {"replicas": {"min": 2, "max": 2}, "resources": {"cpu": "200m"}}
    catalog = game.changed({name: tuned(percent) for name, percent in TARGETS.items()}, supervisor=supervisor)
    costs = await asyncio.to_thread(measured_costs, game, tmp_path)
    game.put_files(namespace)
    Release(helm, namespace, GAME).install(catalog)
    await asyncio.to_thread(until, lambda: all_serve(namespace), START_S, "every Deployment has a ready pod")
    async with calling(namespace, RATE_RPS) as backend:
        real = await peak_replicas(namespace, backend)
    simulated = simulated_peak(catalogs.load(catalog), costs)
    for name in TARGETS:
        one = deployment(name)
        print(f"\n{name}: peak of {real[one]} replicas, simulated {simulated[one]}")
    print(backend.tally)
    assert max(real[deployment(name)] for name in TARGETS) >= 3  # otherwise the comparison would prove little
    assert {name: (real[name], simulated[name]) for name in real if abs(real[name] - simulated[name]) > 1} == {}


def measured_costs(game: SmallGame, folder: Path) -> model_costs.ModelCosts:
    """The costs of one model, which all models share: they have the same number of trees and features."""
    out = folder / "profile.json"
    extent = ["--model", "whales", "--batches", "1,16,64", "--starts", "2", "--seconds", "1"]
    command = [sys.executable, "-m", "loadtest", "profile", "--catalog", str(game.catalog), *extent, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROFILE_S, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = capacity_profile.load(out).models.values()
    return model_costs.from_profile(found)


def simulated_peak(catalog: Catalog, cost: model_costs.ModelCosts) -> Mapping[str, int]:
    """The peak replicas of a simulation in which the load starts as in the cluster, on the cores of this machine."""
    offers = len(read_offers().ids)
    settings = Settings(offers=offers, cores=float(len(os.sched_getaffinity(0))), image_s=0.0)
    load = load_reader.read(f"step:from=0,to={RATE_RPS:g},at=120,length=900")
    (result,) = simulate(SimulationInput([(catalog, load)], dict.fromkeys(model_keys(catalog), cost), settings))
    return result.peak_replicas()


def all_serve(namespace: Namespace) -> bool:
    """Whether every Deployment has all its pods ready."""
    found = namespace.all("deployments")
    return bool(found) and all(one["status"].get("readyReplicas", 0) >= one["spec"]["replicas"] for one in found)


async def peak_replicas(namespace: Namespace, backend: Backend) -> dict[str, int]:
    """The most replicas of each Deployment, once no HPA has changed them for `STEADY_S`; the backend must be served."""
    await backend.whole(20, START_S)
    peak = namespace.replicas()
    changed_s = time.monotonic()
    async with asyncio.timeout(PEAK_S):
        while time.monotonic() - changed_s < STEADY_S:
            await backend.answers(int(5 * RATE_RPS), PEAK_S)
            now = await asyncio.to_thread(namespace.replicas)
            if any(count > peak[name] for name, count in now.items()):
                changed_s = time.monotonic()
            peak = {name: max(count, peak[name]) for name, count in now.items()}
    return peak
