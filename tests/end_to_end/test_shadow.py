"""A shadow version in a real mesh: its metrics equal a comparison of LightGBM's scores."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mesh.cli.metrics_page import Page, fetch
from mesh.wire import offers_pb2 as wire
from tests.end_to_end import meshes, offline
from tests.end_to_end.load import PATIENCE_S
from tests.end_to_end.meshes import FEW, Player, World
from tests.end_to_end.test_scores import PRICES, ask_all, offer_request
from tests.started_mesh import MESH, StartedMesh
from tests.supervisor.shadow.spearman import spearman

pytestmark = pytest.mark.whole_machine

LIVE, SHADOW = "weighted-mean", "median"
MEMBER = FEW[-1].replace("_", "-")
BUDGET_MS = 2000  # of the game: an answer that waits for a frozen model takes this long
WEIGHTS = [1.0 + position / 7 for position in range(len(FEW))]


@pytest.fixture
def catalog(world: World) -> Path:
    """A catalog in which `LIVE` has all players and `SHADOW` scores all their requests."""
    path = world.catalog.with_name("shadow.yaml")
    write(path, content(world, 100))
    return path


@pytest.fixture
def mesh(catalog: Path) -> Iterator[StartedMesh]:
    with meshes.running(catalog) as mesh:
        yield mesh


def content(world: World, share: float) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(world.catalog.read_text())
    tree["versions"] = {name: tree["versions"][name] for name in (LIVE, SHADOW)}
    tree["versions"][LIVE]["traffic"] = 100
    tree["versions"][SHADOW].update(traffic=0, shadow=share)
    return tree


def write(path: Path, tree: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(tree))
    fresh.replace(path)


async def settled(mesh: StartedMesh, requests: int) -> Page:
    """Returns the metrics once `requests` sampled requests have an outcome."""
    async with asyncio.timeout(2 * PATIENCE_S):  # shadows take few moments of a busy machine
        while True:
            page = await asyncio.to_thread(fetch, mesh.ready["metrics"])
            if page.total("mesh_shadow_requests_total") >= requests:
                return page
            await asyncio.sleep(0.05)


async def ask(mesh: StartedMesh, players: Sequence[Player]) -> list[Any]:
    """Asks for all `players`, in parts that are smaller than the queue of the shadows."""
    answers = []
    for start in range(0, len(players), 50):
        part = [offer_request(player, "") for player in players[start : start + 50]]
        answers += await ask_all(mesh, "GetOffer", part)
        await settled(mesh, start + len(part))
    return answers


def scores_offline(world: World, version: str, players: Sequence[Player]) -> np.ndarray[Any, Any]:
    """Returns the combined scores [players, offers]."""
    models = [world.forests[kind] for kind in FEW]
    combine = offline.ROW_COMBINERS[version]
    tables = [offline.table(models, players, offer).T.tolist() for offer in PRICES]
    return np.array([[combine(votes, WEIGHTS) for votes in row] for row in tables]).T


async def test_metrics_of_a_shadow_equal_a_comparison_with_lightgbm(world: World, mesh: StartedMesh) -> None:
    players = world.players[:100]
    answers = await ask(mesh, players)
    page = await settled(mesh, len(players))

    assert {(answer.version, answer.source) for answer in answers} == {(LIVE, wire.ENSEMBLE)}
    live, shadow = (scores_offline(world, version, players) for version in (LIVE, SHADOW))
    prices = np.array(list(PRICES.values()))
    one, other = live * prices, shadow * prices
    pair = {"game": "testgame", "version": LIVE, "shadow": SHADOW}
    compared = page.total("mesh_shadow_requests_total", outcome="compared", **pair)
    assert compared == page.total("mesh_shadow_requests_total") == len(players)
    assert page.total("mesh_shadow_ranked_total", **pair) == len(players)
    assert page.total("mesh_shadow_same_best_total", **pair) == (one.argmax(axis=1) == other.argmax(axis=1)).sum()
    correlations = [spearman(*rows) for rows in zip(one.tolist(), other.tolist(), strict=True)]
    assert page.total("mesh_shadow_rank_correlation_sum", **pair) == pytest.approx(np.nansum(correlations))
    assert page.total("mesh_shadow_scores_sum", of="live", **pair) == pytest.approx(live.sum())
    assert page.total("mesh_shadow_scores_sum", of="shadow", **pair) == pytest.approx(shadow.sum())
    assert page.total("mesh_shadow_scores_count", of="shadow", **pair) == shadow.size
    assert page.total("mesh_shadow_score_difference_sum", **pair) == pytest.approx((shadow - live).sum())
    assert page.total("mesh_shadow_score_difference_absolute_total", **pair) == pytest.approx(
        np.abs(shadow - live).sum()
    )


async def test_compare_shows_the_shares_of_the_metrics(world: World, catalog: Path, mesh: StartedMesh) -> None:
    await ask(mesh, world.players[:100])
    page = await settled(mesh, 100)

    command = [*MESH, "compare", str(catalog), LIVE, SHADOW, "--metrics", mesh.ready["metrics"], "--json"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert found["compared"] == found["ranked"] == 100
    assert found["same_best"] == page.total("mesh_shadow_same_best_total") / 100
    assert found["difference_absolute"] > 0
    assert found["missing"] == {}


@pytest.fixture
def mesh_with_member(world: World) -> Iterator[StartedMesh]:
    """A mesh of one version, whose last model has no vote."""
    tree: dict[str, Any] = yaml.safe_load(world.catalog.read_text())
    tree["versions"] = {LIVE: {**tree["versions"][LIVE], "traffic": 100}}
    tree["versions"][LIVE]["models"][-1]["shadow"] = True
    path = world.catalog.with_name("shadow-member.yaml")
    write(path, tree)
    with meshes.running(path) as mesh:
        yield mesh


async def test_shadow_member_has_no_vote_and_is_compared(world: World, mesh_with_member: StartedMesh) -> None:
    mesh, players = mesh_with_member, world.players[:100]
    answers = await ask(mesh, players)
    page = await settled(mesh, len(players))

    voters, member = [world.forests[kind] for kind in FEW[:-1]], world.forests[FEW[-1]]
    combine = offline.ROW_COMBINERS[LIVE]
    tables = {offer: offline.table([*voters, member], players, offer) for offer in PRICES}
    live = {offer: [combine(votes, WEIGHTS[:-1]) for votes in table[:-1].T.tolist()] for offer, table in tables.items()}
    assert {(answer.source, len(answer.missing_models)) for answer in answers} == {(wire.ENSEMBLE, 0)}
    for number, answer in enumerate(answers):
        assert {offer.offer_id: offer.score for offer in answer.offers} == {one: live[one][number] for one in PRICES}
    pair = {"game": "testgame", "version": LIVE, "shadow": f"{LIVE}/{MEMBER}"}
    assert page.total("mesh_shadow_requests_total", outcome="compared", **pair) == len(players)
    expected = sum(float(tables[offer][-1].sum()) - sum(live[offer]) for offer in PRICES)
    assert page.total("mesh_shadow_score_difference_sum", **pair) == pytest.approx(expected)
    assert page.total("mesh_model_misses_total") == 0
    assert page.total("mesh_lanes", model=MEMBER, state="up") == 1


async def test_frozen_shadow_member_changes_no_answer(world: World, mesh_with_member: StartedMesh) -> None:
    mesh = mesh_with_member
    pid = mesh.pid(MEMBER)
    os.kill(pid, signal.SIGSTOP)
    try:
        answers = await ask_all(mesh, "GetOffer", [offer_request(player, "") for player in world.players[:50]])
        page = await settled(mesh, 50)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert {(answer.source, len(answer.missing_models)) for answer in answers} == {(wire.ENSEMBLE, 0)}
    assert max(answer.timings.total_ms for answer in answers) < BUDGET_MS
    assert page.total("mesh_shadow_requests_total", outcome="compared") == 0
    assert page.total("mesh_shadow_misses_total") > 0


async def test_shadow_is_in_no_metric_of_answers(world: World, mesh: StartedMesh) -> None:
    await ask(mesh, world.players[:50])
    page = await settled(mesh, 50)

    assert page.total("mesh_requests_total", version=LIVE) == 50
    assert page.total("mesh_requests_total", version=SHADOW) == 0
    assert page.total("mesh_cohort_requests_count", version=SHADOW) == 0
    assert page.total("mesh_input_gaps_total", version=SHADOW) == 0


async def test_share_of_the_shadow_changes_without_a_restart(world: World, catalog: Path, mesh: StartedMesh) -> None:
    await ask(mesh, world.players[:50])
    write(catalog, content(world, 0))
    async with asyncio.timeout(PATIENCE_S):
        before = -1.0
        while True:  # until a request is not sampled any more
            await ask_all(mesh, "GetOffer", [offer_request(world.players[0], "")])
            await asyncio.sleep(0.6)
            page = await asyncio.to_thread(fetch, mesh.ready["metrics"])
            total = page.total("mesh_shadow_requests_total")
            if total == before:
                break
            before = total
    assert before >= 50
