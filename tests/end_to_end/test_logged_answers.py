"""A random mixed load on a whole mesh: each logged decision equals its response, and LightGBM repeats it to the bit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pytest
import yaml

from mesh.decisions.log import open_log
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end.meshes import World, build_world
from tests.started_mesh import MESH, StartedMesh, started_mesh
from tests.supervisor.decisions.test_logged_answers import assert_equals

pytestmark = pytest.mark.whole_machine

REQUESTS, CALLERS = 3_000, 48
REFUSED = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED)
OFFERS = ("starter-pack", "gem-chest", "dragon-egg", "guild-banner")
EXPLORE: dict[str, dict[str, Any]] = {
    "every-kind": {"kind": "epsilon", "share": 50, "top": 3},
    "weighted-mean": {"kind": "thompson_votes", "share": 60},
    "rank-mean": {"kind": "softmax", "share": 40, "top": 4},
    "vote": {"kind": "thompson_votes", "share": 100, "top": 2},
}
NUMBERS = (0.0, -0.0, 5e-324, -1.7e308, 1e-7, 3.5, 123456789.123, 2.0**53)
TEXTS = ("android", "ios", "wéb", "", "unheard of", "日本", '"quoted", \\ ', "\x00")


@dataclass(frozen=True, slots=True)
class Load:
    """The requests, by the decision ids of their responses."""

    folder: Path
    requests: dict[str, Any]
    responses: dict[str, Any]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    folder = tmp_path_factory.mktemp("logged")
    world = build_world(folder)
    catalog = yaml.safe_load(world.catalog.read_text())
    for name, block in EXPLORE.items():
        catalog["versions"][name]["explore"] = block
    _share_members(catalog, ("weighted-mean", "rank-mean", "vote"))
    catalog |= {"decisions": {"to": "log", "flush_s": 1}, "assignment": {"holdout": 4, "salt": "s"}}
    world.catalog.write_text(yaml.safe_dump(catalog, sort_keys=False))
    with started_mesh(world.catalog, "--json") as mesh:
        sent = asyncio.run(_send(mesh, world))
        assert mesh.stop() == 0
    responses = {response.decision_id: response for _, response in sent}
    return Load(folder, {response.decision_id: request for request, response in sent}, responses)


def _share_members(catalog: dict[str, Any], versions: Sequence[str]) -> None:
    """Lets `versions`, which have the same models, share them: their requests travel in the same cohorts."""
    weights = {"weight", "shadow"}
    first = catalog["versions"][versions[0]]["models"]
    catalog["members"] = [{key: value for key, value in one.items() if key not in weights} for one in first]
    for version in versions:
        catalog["versions"][version]["models"] = [
            {"member": one["name"], "weight": one["weight"]} for one in catalog["versions"][version]["models"]
        ]


async def _send(mesh: StartedMesh, world: World) -> list[tuple[Any, Any]]:
    """Sends random requests, and stops and continues a worker meanwhile; returns those that were answered."""
    random, turns = Random(20), asyncio.Semaphore(CALLERS)
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]

        async def ask(request: Any, timeout_s: float) -> tuple[Any, Any] | None:
            async with turns:
                call = stub.Score if isinstance(request, wire.ScoreRequest) else stub.GetOffer
                try:
                    return request, await call(request, timeout=timeout_s)
                except grpc.aio.AioRpcError as error:
                    if error.code() not in REFUSED:
                        raise
                    return None

        asked = [(_request(random, world), random.choice((20.0,) * 9 + (0.03, 0.1))) for _ in range(REQUESTS)]
        half = asyncio.gather(*(ask(*one) for one in asked[: REQUESTS // 2]))
        answered = await half
        pid = mesh.pid("dart")
        os.kill(pid, signal.SIGSTOP)
        answered += await asyncio.gather(*(ask(*one) for one in asked[REQUESTS // 2 : REQUESTS // 2 + 100]))
        os.kill(pid, signal.SIGCONT)
        answered += await asyncio.gather(*(ask(*one) for one in asked[REQUESTS // 2 + 100 :]))
    return [one for one in answered if one is not None]


def _request(random: Random, world: World) -> Any:
    context = {
        "Column_0": wire.ContextValue(number=random.choice(NUMBERS)),
        "platform": wire.ContextValue(text=random.choice(TEXTS)),
        "session_minutes": wire.ContextValue(number=random.gammavariate(2, 9)),
    }
    fields: dict[str, Any] = {
        "game": "testgame",
        "player_id": random.choice(("nobody", *(random.choice(world.players).id for _ in range(9)))),
        "context": {name: context[name] for name in random.sample(list(context), random.randint(0, 3))},
        "request_id": random.choice(("", f"r-{random.random()}")),
        "version": random.choice(("", "", "", *EXPLORE)),
    }
    if random.random() < 0.2:
        return wire.ScoreRequest(**fields, offer_id=random.choice(("", *OFFERS)))
    candidates = random.sample(OFFERS, random.choice((0, 0, 1, 2, 3, 4)))
    return wire.GetOfferRequest(**fields, offer_ids=candidates, limit=random.randint(0, 6))


def test_each_decision_equals_its_response(load: Load) -> None:
    with open_log(str(load.folder / "log")) as log:
        rows = {row["decision_id"]: row for row in log.read(log.decisions("testgame")).to_pylist()}
    assert load.responses.keys() <= rows.keys()
    assert len(rows) <= REQUESTS
    for decision_id, response in load.responses.items():
        row, request = rows[decision_id], load.requests[decision_id]
        assert_equals(row, response)
        assert (row["player"], row["pinned"]) == (request.player_id, bool(request.version))
        assert json.loads(row["context"] or "{}") == {
            name: getattr(value, value.WhichOneof("kind")) for name, value in request.context.items()
        }
        assert (row["unseen_inputs"] or [])[:8] == list(response.unseen_inputs)
        if isinstance(request, wire.GetOfferRequest):
            assert row["explored"] is response.explored
            assert (row["propensity"] is None) is (response.source == wire.FALLBACK)
            if row["candidates"] is not None:
                assert row["candidates"] == list(request.offer_ids or OFFERS)
    kinds = {(row["source"], row["explored"], row["method"]) for row in rows.values()}
    assert {("ENSEMBLE", True, "GetOffer"), ("PARTIAL", True, "GetOffer"), ("FALLBACK", False, "GetOffer")} <= kinds


def test_each_decision_with_votes_is_replayed_to_the_bit(load: Load) -> None:
    command = [*MESH, "decisions", "replay", str(load.folder / "log"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["different"] == 0, found
    assert found["partial"] > 0
    assert found["explored"] > 100
