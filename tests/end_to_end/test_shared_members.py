"""Versions that share members: one worker for each member, and the scores of each version alone, to the last bit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from mesh.cli.metrics_page import fetch
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes, offline
from tests.end_to_end.load import is_whole, load_on
from tests.end_to_end.meshes import FEW, World
from tests.started_mesh import StartedMesh

pytestmark = pytest.mark.whole_machine

CALLERS = 64
SHARED = FEW[:4]
VERSIONS = ("weighted-mean", "median")
DEADLINE_S = 5.0


@pytest.fixture
def catalog(world: World) -> Path:
    """Two versions with the same five models: four are members, and each version has a fifth of its own."""
    path = world.catalog.with_name("shared.yaml")
    write(path, content(world, *VERSIONS))
    return path


@pytest.fixture
def mesh(catalog: Path) -> Iterator[StartedMesh]:
    with meshes.running(catalog) as mesh:
        yield mesh


def content(world: World, *versions: str) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load(world.catalog.read_text())
    models = {model["name"]: model for model in tree["versions"]["median"]["models"]}
    members = [kind.replace("_", "-") for kind in SHARED]
    tree["members"] = [{key: models[name][key] for key in ("name", "uri")} for name in members]
    tree["versions"] = {name: tree["versions"][name] for name in versions}
    for version in tree["versions"].values():
        version["traffic"] = 100 / len(versions)
        for model in version["models"]:
            if model["name"] in members:
                model["member"] = model.pop("name")
                del model["uri"]
    return tree


def write(path: Path, tree: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(tree))
    fresh.replace(path)


async def test_scores_are_those_of_each_version_alone(world: World, mesh: StartedMesh) -> None:
    names = {(worker["version"], worker["model"]) for worker in mesh.ready["workers"]}
    assert names == {
        *(("shared", kind.replace("_", "-")) for kind in SHARED),
        *((version, FEW[4].replace("_", "-")) for version in VERSIONS),
    }
    players = world.players[:300]
    requests = [
        wire.ScoreRequest(
            game="testgame",
            player_id=player.id,
            version=version,
            offer_id="gem-chest",
            context={name: _value(value) for name, value in offline.context_of(player).items()},
        )
        for player in players
        for version in VERSIONS
    ]
    answers = await _ask(mesh, requests)
    assert {answer.source for answer in answers} == {wire.ENSEMBLE}
    table = offline.table([world.forests[kind] for kind in FEW], players, "gem-chest").T.tolist()
    weights = [1.0 + position / 7 for position in range(len(FEW))]
    expected = [offline.ROW_COMBINERS[version](votes, weights) for votes in table for version in VERSIONS]
    assert [answer.score for answer in answers] == expected
    page = await asyncio.to_thread(fetch, mesh.ready["metrics"])
    assert page.total("mesh_lanes", version="shared", state="up") == len(SHARED)
    assert page.total("mesh_lanes", state="up") == len(SHARED) + 2


async def test_version_that_shares_members_comes_and_goes_under_load(
    world: World, catalog: Path, mesh: StartedMesh
) -> None:
    async with load_on(mesh.address, DEADLINE_S) as load:
        await load.until(is_whole)
        write(catalog, content(world, "median"))
        await load.until(lambda answer: answer.version == "median" and len(load.answers) > 50)
        await asyncio.sleep(1)
        write(catalog, content(world, *VERSIONS))
        await load.until(lambda answer: answer.version == "weighted-mean")
    assert load.failures == []
    assert [answer.reason for _, answer in load.answers if not is_whole(answer)] == []


def _value(value: float | str) -> wire.ContextValue:
    return wire.ContextValue(text=value) if isinstance(value, str) else wire.ContextValue(number=value)


async def _ask(mesh: StartedMesh, requests: list[wire.ScoreRequest]) -> list[Any]:
    """Returns the answers to `requests`, from `CALLERS` at a time, so that cohorts carry both versions."""
    gate = asyncio.Semaphore(CALLERS)
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]

        async def ask(request: wire.ScoreRequest) -> Any:
            async with gate:
                return await stub.Score(request, timeout=DEADLINE_S)

        return list(await asyncio.gather(*map(ask, requests)))
