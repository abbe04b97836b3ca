"""A game in virtual time: versions that share models, with simulated replicas and real cohorts."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from mesh.catalog.catalog import Catalog
from mesh.catalog.sources import Sources
from mesh.catalog.version import Model
from mesh.errors import MeshError
from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from supervisor import ensemble, journey, party
from supervisor.answers import Answer, AnswerRules
from supervisor.backlog import RowCount
from supervisor.cohort import Cohorts
from supervisor.ensemble import Ensemble
from supervisor.features.cache import CohortFeatures, FeatureCache
from supervisor.lane_reply import ScoreReply
from supervisor.panel import Panel
from supervisor.party import VersionParts
from supervisor.pool import ModelPool
from supervisor.rows import Passenger, RowPlanner
from supervisor.shipment import Shipment
from supervisor.ticket import Ticket
from supervisor.version_group import group_versions
from tests.supervisor.fake_starvation import NEVER_STARVED
from tests.supervisor.simulated_replicas import Sending, SimulatedLane
from tests.supervisor.virtual_time import now_s, settle

COLUMNS = Columns(("level",), ())
HEADER = ModelHeader(("level",), {}, "binary", 1, 1)
ROW_S, DEADLINE_S, READ_S = 0.001, 0.3, 0.002
SHARED = ("whales", "pvp", "europe")
OLD_AND_NEW = {"old": (*SHARED, "asia@old"), "new": ("asia@new", *SHARED)}


def use_virtual_clock(patch: pytest.MonkeyPatch) -> None:
    """Lets requests and journeys read the clock of the loop."""
    for module in (ensemble, journey, party):
        patch.setattr(module, "time", SimpleNamespace(monotonic=now_s, time=time.time))


class Features:
    """Reads the player `7` with level 7 in `READ_S`."""

    async def read(self, player_ids: Sequence[str], budget_s: float) -> CohortFeatures:
        del budget_s
        await asyncio.sleep(READ_S)
        players = [PlayerFeatures(struct.pack("<d", float(one)), (), time.time()) for one in player_ids]
        return CohortFeatures(COLUMNS, tuple(players))


class Recorded:
    """Keeps the answers of a version, and the sizes of its parts of cohorts."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.cohorts: list[tuple[int, int]] = []

    def record_cohort(self, requests: int, rows: int) -> None:
        self.cohorts.append((requests, rows))

    def record_answer(self, answer: Answer, total_s: float, trace_id: str = "") -> None:
        del total_s, trace_id
        self.answers.append(answer)


class BiasedLane(SimulatedLane):
    """A replica that adds the bias of its model to each score."""

    def __init__(self, pool: ModelPool, sendings: list[Sending]) -> None:
        super().__init__(pool, f"lane of {pool.model.name}", HEADER, ROW_S, sendings)
        self._bias = bias_of(pool.model.name)

    def _reply(self, shipment: Shipment, work_s: float) -> ScoreReply | MeshError:
        reply = super()._reply(shipment, work_s)
        return ScoreReply(reply.values + self._bias, work_s, 0.0) if isinstance(reply, ScoreReply) else reply


def bias_of(model: str) -> float:
    return float(sum(model.encode()) % 97)


class World:
    """A game in virtual time; a model that several of `versions` name is shared by them."""

    def __init__(self, versions: Mapping[str, Sequence[str]], quorum: int, tasks: asyncio.TaskGroup) -> None:
        models = dict.fromkeys(name for names in versions.values() for name in names)
        planner = RowPlanner(Sources(COLUMNS, {}, None))
        self.pools = {
            name: ModelPool(
                Model(name=name.replace("@", "-"), uri="m.txt"), planner, COLUMNS, NEVER_STARVED, 4, clock=now_s
            )
            for name in models
        }
        self.sent: dict[str, list[Sending]] = {name: [] for name in models}
        self.lanes = {name: BiasedLane(pool, self.sent[name]) for name, pool in self.pools.items()}
        self.records = {name: Recorded() for name in versions}
        catalog = _catalog(versions, quorum)
        parts = {
            name: VersionParts(
                Panel(tuple(self.pools[model] for model in models)),
                AnswerRules(catalog, catalog.versions[name], None),
                self.records[name],
                RowCount(),
            )
            for name, models in versions.items()
        }
        self.groups = list(group_versions(parts, cast(FeatureCache, Features()), now_s))
        self.ensembles = {name: Ensemble(name, parts[name], group) for group in self.groups for name in group.versions}
        self.cohorts = Cohorts(tasks, self, 10_000, clock=now_s)
        self.holds = False
        self.versions = versions

    def is_starved(self) -> bool:
        """While the test holds the departures, a cohort waits for the return of the one before."""
        return self.holds

    def ask(self, version: str, player: int, rows: int = 1, budget_s: float = DEADLINE_S) -> asyncio.Task[Answer]:
        """Sends a request."""
        passenger = Passenger({}, tuple(range(rows)))
        ticket = Ticket(str(player), passenger, 1, 0, now_s(), now_s() + budget_s)

        async def answer() -> Answer:
            answer, _ = await self.ensembles[version].answer(ticket, self.cohorts)
            assert now_s() <= ticket.deadline_s + 1e-3
            return answer

        return asyncio.ensure_future(answer())

    async def depart(self, *requests: tuple[str, int]) -> list[asyncio.Task[Answer]]:
        """Sends requests (version, player) that travel in one cohort; returns when it departs."""
        self.holds = True
        first = self.ask(requests[0][0], 0)
        await settle()
        asked = [self.ask(*request) for request in requests]
        await first
        for sendings in self.sent.values():
            sendings.clear()
        await settle()
        self.holds = False
        return asked

    async def together(self, *requests: tuple[str, int]) -> list[Answer]:
        """Returns the answers to requests that travel in one cohort."""
        return list(await asyncio.gather(*await self.depart(*requests)))

    def sizes(self, model: str) -> list[int]:
        """The rows of each message to the model."""
        return [sending.rows for sending in self.sent[model]]

    def score(self, version: str, player: int, without: Sequence[str] = ()) -> float:
        """The score of a version alone."""
        votes = [
            player + bias_of(self.pools[model].model.name) for model in self.versions[version] if model not in without
        ]
        return float(sum(votes)) / len(votes)


def _catalog(versions: Mapping[str, Sequence[str]], quorum: int) -> Catalog:
    described = {
        name: {
            "traffic": 100 / len(versions),
            "combine": {"quorum": quorum},
            "models": [{"name": model.replace("@", "-"), "uri": "m.txt"} for model in models],
        }
        for name, models in versions.items()
    }
    return Catalog.model_validate({"game": "g", "features": {"path": "players.sqlite"}, "versions": described})


@asynccontextmanager
async def world(versions: Mapping[str, Sequence[str]], quorum: int = 2) -> AsyncIterator[World]:
    async with asyncio.TaskGroup() as tasks:
        made = World(versions, quorum, tasks)
        yield made
        for lane in made.lanes.values():
            lane.thaw()
    for pool in made.pools.values():
        await pool.close()
