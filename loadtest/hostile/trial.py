"""Measures steady requests without and with one attack, in turn."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import NamedTuple

from loadtest.generators import arrivals
from loadtest.measurement.plan import Plan
from loadtest.run.answers import class_of
from loadtest.run.measurement import Setting, ask_all_metered
from loadtest.run.summary import Summary, summarise
from loadtest.workloads import TrainedEnsemble, feature_names
from mesh.process import Event, Launch, run_to_end

PAUSE_S, ATTACK_BUDGET_S = 1.0, 60.0
FULL, DEGRADED = "full", ("partial", "fallback")


class Pair(NamedTuple):
    """The steady requests without and with an attack; `degraded` and `failed` are counts beside the attack."""

    attack: str
    without_ms: float
    with_ms: float
    degraded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What is measured, with a mesh that is up; `port` is the kind of the attacked process."""

    ensemble: TrainedEnsemble
    setting: Setting
    ready: Event
    port: str
    plan: Plan

    async def measure(self, attack: str, rps: float, seconds: float, number: int) -> Pair:
        """Measures `rps` requests per second for `seconds`, without and with `attack`; odd rounds begin with it."""
        runs: dict[bool, Summary] = {}
        for beside in (False, True) if number % 2 == 0 else (True, False):
            runs[beside] = await self._run(attack if beside else None, rps, seconds, number)
            await asyncio.sleep(PAUSE_S)
        counts = runs[True].classes
        degraded = sum(counts.get(name, 0) for name in DEGRADED)
        failed = sum(counts.values()) - counts.get(FULL, 0) - degraded
        pair = Pair(attack, runs[False].percentile_ms(99), runs[True].percentile_ms(99), degraded, failed)
        self.plan.progress(f"  {attack}: p99 {pair.without_ms:.1f} ms without, {pair.with_ms:.1f} ms with")
        return pair

    async def _run(self, attack: str | None, rps: float, seconds: float, seed: int) -> Summary:
        attacking = None if attack is None else asyncio.create_task(self._attack_again(attack))
        try:
            offsets_s = arrivals.poisson(rps, seconds, seed)
            answers, generator, _ = await ask_all_metered(self.setting, offsets_s, seconds, {})
        finally:
            if attacking is not None:
                attacking.cancel()
                await asyncio.wait((attacking,))
        if attacking is not None and not attacking.cancelled():
            attacking.result()  # an attack that failed
        classes = [class_of(answer, self.setting.question.deadline_ms, is_wrong=False) for answer in answers]
        return summarise(answers, classes, seconds, generator)

    async def _attack_again(self, attack: str) -> None:
        """Runs the attack again and again. It runs in the session of the senders: its nice value counts there."""
        worker = self.ready["workers"][0]
        is_worker = self.port == "worker"
        address = worker["address"] if is_worker else self.ready["address"]
        service = f"worker/{worker['model']}/{len(feature_names(self.ensemble))}"
        words = [attack, address, service if is_worker else f"supervisor/{self.ensemble.game}/player-00001", "1"]
        command = [sys.executable, "-m", "loadtest.hostile", *words]
        while True:
            await run_to_end(
                Launch("attack", command, log=self.plan.logs / "attack.log", new_session=False), ATTACK_BUDGET_S
            )
