"""A supervisor in this process, built like the real one: real store, real lanes, real port."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players
from mesh.starvation import CpuStarvation
from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from supervisor.assembly import open_games
from supervisor.callers.gate import CallerGate
from supervisor.cohort import Cohorts
from supervisor.decisions.logs import DecisionLogs
from supervisor.game import Game
from supervisor.grpc_server import grpc_server
from supervisor.machine_starvation import MachineStarvation
from supervisor.metrics import Metrics
from supervisor.outcomes.desk import OutcomeDesk
from supervisor.outcomes.rate import OutcomeRate
from supervisor.outcomes.service import OutcomeService
from supervisor.service import OffersService
from supervisor.settings import read_settings
from supervisor.start_catalogs import load_catalogs
from supervisor.state_metrics import StateOnDemand
from tests.supervisor.replica import Replica, replica, sums, until

HEADER = ModelHeader(("level", "minutes", "price"), {}, "binary", 1, 10)
COLUMNS = Columns(("level",), ())
LEVELS = {"p1": 1.0, "p2": 2.0, "p3": 3.0}
MODELS = ("m0", "m1", "m2")
BIASES = (0.0, 0.25, 0.5)
OFFERS_CSV = "offer_id,price\nstarter,1\ngold,4\nsilver,2\n"
CATALOG = """
game: g
budget_ms: {budget_ms}
reserve_ms: 300
features:
  {{path: players.sqlite, timeout_ms: {timeout_ms}, unknown_player: {unknown_player}, unread_player: {unread_player}}}
context: {{minutes: number, platform: text, weekend: boolean}}
offers: {{path: offers.csv, fallback: starter, rank_by: score}}
assignment: {{holdout: {holdout}}}
versions:
  v1:
    explore: {explore}
    combine: {{kind: mean, quorum: 2}}
    models: [{{name: m0, uri: m0.txt}}, {{name: m1, uri: m1.txt}}, {{name: m2, uri: m2.txt}}]
"""


@dataclass(frozen=True)
class Backend:
    """The parts of a running supervisor, and a client."""

    game: Game
    replicas: Sequence[Replica]
    cohorts: Cohorts
    service: OffersService
    metrics: Metrics
    stub: Any
    channel: grpc.aio.Channel
    store: Path

    async def all_up(self) -> None:
        """Waits until every model has a replica."""
        lanes = [lane for pool in self.game.ensembles["v1"].panel.pools for lane in pool.lanes.values()]
        await until(lambda: all(lane.state == "up" for lane in lanes))

    async def offer(self, timeout_s: float = 20.0, **fields: Any) -> wire.GetOfferResponse:
        """Calls GetOffer."""
        answer: wire.GetOfferResponse = await self.stub.GetOffer(ask(**fields), timeout=timeout_s)
        return answer


def ask(**fields: Any) -> wire.GetOfferRequest:
    """Returns a request for player p1 of game g, changed by `fields`."""
    return wire.GetOfferRequest(**{"game": "g", "player_id": "p1", **fields})


def score_of(player: str, price: float, minutes: float = 0.0) -> float:
    """Returns the mean score of the fake models for a row, added in the order of the panel."""
    row = LEVELS.get(player, 0.0) + minutes + price
    total = row + BIASES[0]
    for bias in BIASES[1:]:
        total += row + bias
    return total / len(BIASES)


def write_game(folder: Path, **options: object) -> Path:
    """Writes the files of the game; returns the path of its catalog."""
    values: Mapping[str, object] = {
        "budget_ms": 10000,
        "timeout_ms": 5000,
        "unknown_player": "ensemble",
        "unread_player": "fallback",
        "holdout": 0,
        "explore": "null",
        **options,
    }
    with replacing_store(folder / "players.sqlite", COLUMNS) as connection:
        players = {
            name: PlayerFeatures(struct.pack("<d", level), (), time.time() - 60) for name, level in LEVELS.items()
        }
        write_players(connection, players.items())
    (folder / "offers.csv").write_text(OFFERS_CSV)
    blocks = "".join(f"{block}: {options[block]}\n" for block in ("decisions", "callers") if block in options)
    (folder / "mesh.yaml").write_text(CATALOG.format(**values) + blocks)
    return folder / "mesh.yaml"


@asynccontextmanager
async def backend(
    folder: Path, *, models: int = 3, logs: DecisionLogs | None = None, **options: object
) -> AsyncIterator[Backend]:
    """Runs a supervisor of the game in `folder`, with fake replicas for the first `models` models."""
    catalogs = load_catalogs([write_game(folder, **options)])
    settings = read_settings(["--catalog", "unused", "--drain-s", "5"])
    metrics, loop_thread = Metrics(), CpuStarvation()
    starvation = MachineStarvation(loop_thread)
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(replica(HEADER, sums(bias))) for bias in BIASES[:models]]
        games = await stack.enter_async_context(open_games(catalogs.values(), starvation, metrics, logs=logs))
        if logs is not None:
            await stack.enter_async_context(logs.writing(games))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        cohorts = Cohorts(tasks, starvation, 1000)
        metrics.registry.register(StateOnDemand(games, cohorts, starvation.peek))
        gate = CallerGate(games, metrics.callers, has_tls="callers" in options)
        games.subscribe(gate.refresh)
        rate = OutcomeRate(loop_thread, lambda: cohorts.departures)
        outcomes = OutcomeService(OutcomeDesk(games, metrics.outcomes), rate, gate)
        service = OffersService(games, cohorts, outcomes, gate)
        server = await stack.enter_async_context(grpc_server(settings, service, []))
        await server.health.set_serving(True)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{server.port}"))
        for pool, played in zip(games["g"].ensembles["v1"].panel.pools, replicas, strict=False):
            pool.assign([played.address])
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        running = Backend(games["g"], replicas, cohorts, service, metrics, stub, channel, folder / "players.sqlite")
        if models == len(MODELS):
            await running.all_up()
        yield running
