"""Versions that share models while replicas with two files of each come, go, fail and freeze: real cohorts and pools.

Every answer must be in time, of its own version, and of one file of each model: that which its digest names.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from mesh.errors import MeshError, Overloaded, Unavailable
from mesh.version_digest import version_digest
from supervisor.answers import Answer, Source
from supervisor.lane_reply import ScoreReply
from supervisor.pool import ModelPool
from supervisor.shipment import Shipment
from tests.supervisor import virtual_game
from tests.supervisor.simulated_replicas import Sending, SimulatedLane
from tests.supervisor.virtual_game import HEADER, ROW_S, World, bias_of, use_virtual_clock, world
from tests.supervisor.virtual_time import in_virtual_time

OLD, NEW = "a" * 64, "b" * 64
BIAS = {OLD: 1_000.0, NEW: 20_000.0}
VERSIONS = {"v1": ("a", "b", "own1"), "v2": ("own2", "b", "c"), "v3": ("c", "a", "own3")}
STEPS = 120


class FileLane(SimulatedLane):
    """The lane to a replica that serves one of two files; each file adds its bias to the scores of the model."""

    numbers = itertools.count()

    def __init__(self, pool: ModelPool, sendings: list[Sending], sha256: str = OLD) -> None:
        super().__init__(pool, f"{pool.model.name} {next(self.numbers)}", HEADER, ROW_S, sendings)
        self.pool = pool
        self.sha256 = sha256
        self.come_back(sha256)

    def come_back(self, sha256: str) -> None:
        """Connects again; the replica may serve another file."""
        self.sha256 = sha256
        self.pool.accept(self.lane, HEADER, {"sha256": sha256})
        self.recover()

    def leave(self) -> None:
        """Is removed from the replicas of the model; it still answers what it has."""
        del self.pool.lanes[self.address]
        self.pool._generations.leave(self.lane)
        self.pool._review(Unavailable("its replica is gone"))

    def _reply(self, shipment: Shipment, work_s: float) -> ScoreReply | MeshError:
        reply = super()._reply(shipment, work_s)
        if not isinstance(reply, ScoreReply):
            return Overloaded("full")
        return ScoreReply(reply.values + bias_of(self.pool.model.name) + BIAS[self.sha256], work_s, 0.0)


class Disturbed:
    """A game that is asked while its replicas change."""

    def __init__(self, game: World, seed: int) -> None:
        self.random = random.Random(seed)
        self.game = game
        self.lanes = [cast(FileLane, lane) for lane in game.lanes.values()]
        self.asked: list[tuple[str, int, asyncio.Task[Answer]]] = []
        for name in [*game.pools, *game.pools]:
            self._add(name)

    async def step(self) -> None:
        """Asks, or changes one replica, and waits a moment."""
        lane = self.random.choice(self.lanes)
        match self.random.choice(
            [*["ask"] * 8, *["return", "thaw", "heal"] * 2, "break", "freeze", "fail", "leave", "hold"]
        ):
            case "ask":
                self._ask()
            case "break" if lane.state == "up":
                lane.break_down()
            case "return" if lane.state == "down":
                lane.come_back(self.random.choice([OLD, NEW]))
            case "freeze":
                lane.freeze()
            case "thaw":
                lane.thaw()
            case "fail":
                lane.is_failing, lane.slowness = True, 20.0
            case "heal":
                lane.is_failing, lane.slowness = False, 1.0
            case "leave":
                self.lanes.remove(lane)
                lane.leave()
                self._add(next(name for name, pool in self.game.pools.items() if pool is lane.pool))
            case "hold":
                self.game.holds = not self.game.holds
        await asyncio.sleep(self.random.choice([0, 0.0005, 0.002, 0.01]))

    def _add(self, name: str) -> None:
        pool = self.game.pools[name]
        self.lanes.append(FileLane(pool, self.game.sent[name], self.random.choice([OLD, NEW])))

    def _ask(self) -> None:
        for _ in range(self.random.randint(1, 6)):
            version, player = self.random.choice(list(VERSIONS)), self.random.randint(1, 50)
            rows, budget_s = self.random.randint(1, 12), self.random.choice([0.01, 0.05, 0.3])
            self.asked.append((version, player, self.game.ask(version, player, rows, budget_s)))


@asynccontextmanager
async def disturbed(seed: int) -> AsyncIterator[Disturbed]:
    with pytest.MonkeyPatch.context() as patch:
        use_virtual_clock(patch)
        patch.setattr(virtual_game, "BiasedLane", FileLane)
        async with world(VERSIONS, quorum=1 + seed % 3) as game:
            yield Disturbed(game, seed)


def check(game: World, version: str, player: int, answer: Answer) -> None:
    """The score of an answer is that of the files which its digest names, without the models that are missing."""
    if answer.source not in (Source.ENSEMBLE, Source.PARTIAL):
        return
    names, missing = game.versions[version], {name for name, _ in answer.missing}
    combinations = (dict(zip(names, files, strict=True)) for files in itertools.product((OLD, NEW), repeat=len(names)))
    (files,) = [one for one in combinations if version_digest(one) == answer.version_digest]
    votes = [player + bias_of(name) + BIAS[files[name]] for name in names if name not in missing]
    assert answer.score == pytest.approx(sum(votes) / len(votes))


@pytest.mark.parametrize("seed", range(12))
@in_virtual_time
async def test_answers_are_of_one_file_of_each_model_and_nothing_stays_behind(seed: int) -> None:
    async with disturbed(seed) as made:
        for _ in range(STEPS):
            await made.step()
        made.game.holds = False
        for version, player, task in made.asked:
            check(made.game, version, player, await task)
        for lane in made.lanes:
            lane.thaw()
        await asyncio.sleep(2)
        assert sum(task.result().source in (Source.ENSEMBLE, Source.PARTIAL) for *_, task in made.asked) > 10
        assert (made.game.cohorts.waiting_count, made.game.cohorts.under_way) == (0, 0)
        assert [pool.waiting_rows for pool in made.game.pools.values()] == [0] * len(made.game.pools)
        counts = [parts.rows for group in made.game.groups for parts in group.versions.values()]
        assert all(rows.departed == rows.arrived for rows in counts)
