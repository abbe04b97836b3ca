"""Runs the changes against a running mesh under open-loop load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from loadtest.generators import arrivals
from loadtest.measurement.plan import Plan
from loadtest.peers import mesh
from loadtest.run.answers import Answer
from loadtest.run.job import Question
from loadtest.run.measurement import HEAD_START_S, Setting, ask_all
from loadtest.versions.game import ENSEMBLE, Expected, VersionsGame
from loadtest.versions.steps import FIRST, Step, World
from loadtest.versions.verdict import Changed, Verdict, verdicts
from loadtest.workloads import player_ids

SEED = 7


async def try_steps(steps: Sequence[Step], plan: Plan, rate_rps: float, seconds: float) -> list[Verdict]:
    """Makes one change after the other within `seconds`; returns a verdict for the control and for each change."""
    game = VersionsGame(plan)
    game.write(FIRST)
    await mesh.load_features(game.folder, plan.logs)
    async with mesh.up(game.folder, plan.logs) as ready:
        await mesh.first_full_answer(ready["address"], ENSEMBLE)
        answers, changes = await _run(steps, World(game, dict(ready)), plan, rate_rps, seconds)
    plan.progress(f"comparing {len(answers):,} answers with LightGBM")
    return await asyncio.to_thread(lambda: list(verdicts(answers, changes, Expected(game))))


async def _run(
    steps: Sequence[Step], world: World, plan: Plan, rate_rps: float, seconds: float
) -> tuple[list[Answer], list[Changed]]:
    hold_s = seconds / (len(steps) + 1)
    question = Question(
        world.ready["address"], "GetOffer", ENSEMBLE.game, "", ENSEMBLE.budget_ms, {}, player_ids(ENSEMBLE.players)
    )
    setting = Setting(question, processes=1, max_unanswered=1000, seed=SEED, oracle=None)
    start_s = time.monotonic() + HEAD_START_S
    asking = asyncio.create_task(ask_all(setting, arrivals.poisson(rate_rps, seconds, SEED), seconds))
    changes = [Changed(None, 0.0, FIRST, FIRST)]
    for number, step in enumerate(steps, 1):
        await asyncio.sleep(max(0.0, start_s + number * hold_s - time.monotonic()))
        plan.progress(step.name)
        changes.append(Changed(step, time.monotonic() - start_s, changes[-1].after, step.state))
        step.change(world)
    answers, _ = await asking
    return answers, changes
