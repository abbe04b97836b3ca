"""The answers of a real mesh with all kinds of models and combinations, replayed by LightGBM from its decision log."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from mesh.cli.main import main
from mesh.decisions.log import open_log
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.end_to_end import meshes
from tests.end_to_end.meshes import World
from tests.started_mesh import StartedMesh

pytestmark = [pytest.mark.whole_machine, pytest.mark.timeout(900)]

REQUESTS = int(os.environ.get("MESH_TEST_REPLAYED", "3000"))  # with 100,000 the test takes some minutes
CALLERS, FROZEN = 24, 120
BUDGET_MS, PATIENCE_S = 1_000, 30.0
OFFERS = ("starter-pack", "gem-chest", "dragon-egg", "guild-banner")
EXPLORE = {
    "every-kind": {"kind": "thompson_votes", "share": 60, "top": 3},
    "median": {"kind": "epsilon", "share": 60, "top": 4},
    "weighted-mean": {"kind": "softmax", "share": 60, "top": 4},
}


@pytest.fixture(name="log", scope="module")
def fixture_log(world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Any]]:
    """The log of a mesh, and its answers: whole and partial ones, drawn ones, and Score."""
    folder = tmp_path_factory.mktemp("log")
    catalog = yaml.safe_load(world.catalog.read_text())
    for version, explore in EXPLORE.items():
        catalog["versions"][version]["explore"] = explore
    path = world.catalog.with_name("replayed.yaml")
    path.write_text(
        yaml.safe_dump({**catalog, "budget_ms": BUDGET_MS, "decisions": {"to": str(folder / "log"), "flush_s": 1}})
    )
    with meshes.running(path) as mesh:
        answers = asyncio.run(ask_mesh(mesh))
        assert mesh.stop() == 0
    return str(folder / "log"), answers


async def ask_mesh(mesh: StartedMesh) -> list[Any]:
    """Asks all kinds of requests; during the last ones, a model of each version is frozen."""
    random = Random(7)
    async with grpc.aio.insecure_channel(mesh.address) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        answers = await ask_some(stub, random, REQUESTS)
        frozen = [mesh.pid("dart", version) for version in ("every-kind", "median", "rank-mean", "vote")]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            answers += await ask_some(stub, random, FROZEN)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
    return answers


async def ask_some(stub: Any, random: Random, count: int) -> list[Any]:
    turns = asyncio.Semaphore(CALLERS)

    async def ask(method: Any, request: Any) -> Any:
        async with turns:
            return await method(request, timeout=PATIENCE_S)

    def drawn() -> Any:
        fields: dict[str, Any] = {
            "game": "testgame",
            "player_id": f"player-{random.randrange(1100)}",
            "context": context(random),
        }
        if random.random() < 0.1:
            return ask(stub.Score, wire.ScoreRequest(offer_id=random.choice(("", *OFFERS)), **fields))
        chosen = random.sample(OFFERS, random.randint(1, 4)) if random.random() < 0.6 else []
        version = random.choice(["", "", "", "rank-mean", "median"])
        return ask(
            stub.GetOffer,
            wire.GetOfferRequest(offer_ids=chosen, limit=random.randint(1, 4), version=version, **fields),
        )

    return await asyncio.gather(*(drawn() for _ in range(count)))


def context(random: Random) -> dict[str, wire.ContextValue]:
    drawn = {
        "Column_0": wire.ContextValue(number=random.uniform(-2, 2)),
        "platform": wire.ContextValue(text=random.choice(["ios", "wéb", "unknown"])),
        "session_minutes": wire.ContextValue(number=random.uniform(0, 90)),
    }
    return {name: value for name, value in drawn.items() if random.random() < 0.5}


def test_all_answers_with_scores_are_replayed_bit_equal(
    log: tuple[str, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    where, answers = log
    sources = Counter(wire.Source.Name(answer.source) for answer in answers)
    started_s = time.monotonic()
    code = main(["decisions", "replay", where, "--json"])
    replay_s = time.monotonic() - started_s
    found = json.loads(capsys.readouterr().out)
    with capsys.disabled():
        print(f"\n{found['replayed']:,} decisions, {found['votes']:,} votes replayed in {replay_s:.1f} s")
    assert (code, found["different"], found["first"]) == (0, 0, None)
    assert found["replayed"] == sources["ENSEMBLE"] + sources["PARTIAL"]
    assert sum(found["skipped"].values()) == sources["FALLBACK"]
    assert found["partial"] == sources["PARTIAL"] > 20
    assert found["explored"] == sum(answer.explored for answer in answers if hasattr(answer, "explored")) > 100
    assert found["votes"] > 10 * REQUESTS
    with open_log(where) as opened:
        versions = opened.read(opened.decisions("testgame", columns=("version",)).distinct())
    assert len(versions) == 1 + len(meshes.COMBINERS)


def test_version_of_the_log_is_estimated_from_the_explored_answers(
    log: tuple[str, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decisions", "replay", log[0], "--version", "median", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["decisions"] > 1000
    assert 0.3 < found["overlap"] < 1.0
    assert 0.0 < found["changed"] < 1.0
    assert found["skipped"]["the caller named the version"] > 100


def test_smallest_change_of_a_logged_vote_is_found(
    log: tuple[str, list[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "log"
    os.system(f"cp -r {log[0]} {copy}")
    file = max((copy / "decisions").rglob("*.parquet"), key=lambda one: one.stat().st_size)
    rows = pq.read_table(file, partitioning=None)
    votes = rows["votes"].to_pylist()
    at = next(at for at, row in enumerate(rows["source"].to_pylist()) if row == "ENSEMBLE")
    votes[at][1] = math.nextafter(votes[at][1], math.inf)
    place = rows.column_names.index("votes")
    pq.write_table(rows.set_column(place, "votes", pa.array(votes, rows["votes"].type)), file)
    assert main(["decisions", "replay", str(copy)]) == 1
    assert f"decision {rows['decision_id'][at]}" in capsys.readouterr().out
