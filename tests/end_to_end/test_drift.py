"""Drift in a real mesh: players of one version change in the store, and their feature is found under its name."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mesh.cli.metrics_page import Page, fetch
from mesh.drift.findings import MIN_SAMPLES
from mesh.wire import offers_pb2 as wire
from tests.end_to_end import meshes
from tests.end_to_end.load import PATIENCE_S
from tests.end_to_end.meshes import NUMBERS, Player, World, write_players
from tests.end_to_end.test_scores import GAME, ask_all
from tests.started_mesh import MESH, StartedMesh

pytestmark = pytest.mark.whole_machine

SAME, CHANGED = "median", "vote"  # the two versions, which have the same models
FEATURE = "Column_2"
ROWS = 4_000


def rows_of(world: World) -> pd.DataFrame:
    """Returns requests as the mesh scores them: random players with random offers, which have two of the features."""
    rng = np.random.default_rng(3)
    players = [world.players[place] for place in rng.integers(len(world.players), size=ROWS)]
    offers = pd.read_csv(world.catalog.with_name("offers.csv")).iloc[rng.integers(4, size=ROWS)]
    frame = pd.DataFrame([player.numbers for player in players], columns=list(NUMBERS))
    frame["platform"] = [player.platform for player in players]
    frame[["Column_3", "tier"]] = offers[["Column_3", "tier"]].to_numpy()
    return frame


def build_catalog(world: World, folder: Path) -> Path:
    tree: dict[str, Any] = yaml.safe_load(world.catalog.read_text())
    tree["features"] |= {"path": str(folder / "players.sqlite"), "cache_ttl_s": 0.1}
    tree["offers"]["path"] = str(world.catalog.with_name("offers.csv"))
    del tree["context"]
    tree["versions"] = {name: {**tree["versions"][name], "traffic": 50} for name in (SAME, CHANGED)}
    for version in tree["versions"].values():
        version["models"] = [{**one, "uri": str(world.catalog.with_name(one["uri"]))} for one in version["models"]]
    catalog = folder / "mesh.yaml"
    catalog.write_text(yaml.safe_dump(tree))
    rows_of(world).to_parquet(folder / "rows.parquet")
    for name, version in tree["versions"].items():
        run(
            "drift",
            "reference",
            folder / "rows.parquet",
            "--catalog",
            catalog,
            "--version",
            name,
            "--to",
            folder / name,
        )
        version["reference"] = name
    catalog.write_text(yaml.safe_dump(tree))
    return catalog


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MESH, *map(str, words)], check=False, capture_output=True, text=True)


def load(catalog: Path, players: Sequence[Player]) -> None:
    file = catalog.with_name("players.csv")
    write_players(file, players)
    assert run("features", "load", file, "--catalog", catalog).returncode == 0


def changed(player: Player) -> Player:
    numbers = player.numbers.copy()
    numbers[NUMBERS.index(FEATURE)] += 2.5
    return replace(player, numbers=numbers)


def request_of(player: Player) -> wire.GetOfferRequest:
    return wire.GetOfferRequest(game=GAME, player_id=player.id)


async def play_until_there_are_figures(mesh: StartedMesh, players: Sequence[Player]) -> Page:
    """Asks for all players again and again, until both versions have been compared with enough new requests."""
    async with asyncio.timeout(2 * PATIENCE_S):
        while True:
            await ask_all(mesh, "GetOffer", [request_of(player) for player in players])
            page = await asyncio.to_thread(fetch, mesh.ready["metrics"])
            counts = [page.total("mesh_drift_samples", version=name) for name in (SAME, CHANGED)]
            if min(counts) >= MIN_SAMPLES:
                return page
            await asyncio.sleep(0.3)


@pytest.mark.timeout(300)
async def test_changed_feature_of_real_players_is_found_under_its_name(world: World, tmp_path: Path) -> None:
    catalog = build_catalog(world, tmp_path)
    load(catalog, world.players)
    with meshes.running(catalog) as mesh:
        answers = await ask_all(mesh, "GetOffer", [request_of(player) for player in world.players])
        moved = {player.id for player, one in zip(world.players, answers, strict=True) if one.version == CHANGED}
        assert 300 < len(moved) < 700
        load(catalog, [changed(player) if player.id in moved else player for player in world.players])
        page = await play_until_there_are_figures(mesh, world.players)
        shown = run("drift", "--metrics", mesh.ready["metrics"])
        as_json = run("drift", "--metrics", mesh.ready["metrics"], "--json", "--version", SAME)

    found = {
        (one.labels["version"], one.labels["name"])
        for one in page.find("mesh_drift_severity", kind="feature")
        if one.value >= 1
    }
    assert found == {(CHANGED, FEATURE)}, shown.stdout
    assert shown.returncode == 1
    assert f"drift: feature {FEATURE} (psi)" in shown.stdout
    (version,) = json.loads(as_json.stdout)["versions"]
    assert as_json.returncode == 0
    assert version["samples"] >= MIN_SAMPLES
    names = {one["name"] for one in version["findings"]}
    assert names >= {FEATURE, "platform", "tier", "binary", "pandas", ""}
    (platform,) = [one for one in version["findings"] if one["name"] == "platform"]
    assert platform["unseen_before"] > 0.05  # also the training has platforms that no model knows
