"""Measures steady requests with and without one attack, in turn."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from loadtest.errors import CannotMeasure
from loadtest.generators import arrivals
from loadtest.measurement.plan import Plan
from loadtest.run.answers import class_of
from loadtest.run.measurement import HEAD_START_S, Setting, ask_all_metered
from loadtest.run.summary import Summary, summarise
from loadtest.workloads import TrainedEnsemble, feature_names
from mesh.process import Event, Launch, running

PAUSE_S, LAST_S = 1.0, 30.0
FULL, DEGRADED = "full", ("partial", "fallback")


class Pair(NamedTuple):
    """The steady requests without and with an attack; `degraded` and `failed` are counts beside the attack.

    `cpu_share` is the share of a CPU that the attack took.
    """

    attack: str
    without_ms: float
    with_ms: float
    degraded: int
    failed: int
    cpu_share: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What is measured, with a mesh that is up; `port` is the kind of the attacked process."""

    ensemble: TrainedEnsemble
    setting: Setting
    ready: Event
    port: str
    plan: Plan
    shares: dict[str, float] = field(default_factory=dict)  # of a CPU, by attack

    async def measure(self, attack: str, rps: float, seconds: float, number: int) -> Pair:
        """Measures `rps` requests per second for `seconds`, with and without `attack`; odd rounds begin without it.

        Without it, a process of the same priority takes the CPU that the attack took, so that only its input differs.
        """
        runs: dict[bool, Summary] = {}
        for beside in (True, False) if number % 2 == 0 else (False, True):
            words = self._attack(attack) if beside else ["burn", str(self.shares[attack])]
            runs[beside], output = await self._run(words, rps, seconds, number)
            if beside:
                self.shares[attack] = float(json.loads(output)["cpu_share"])
            await asyncio.sleep(PAUSE_S)
        counts = runs[True].classes
        degraded = sum(counts.get(name, 0) for name in DEGRADED)
        failed = sum(counts.values()) - counts.get(FULL, 0) - degraded
        share = self.shares[attack]
        pair = Pair(attack, runs[False].percentile_ms(99), runs[True].percentile_ms(99), degraded, failed, share)
        self.plan.progress(f"  {attack}: p99 {pair.without_ms:.1f} ms without, {pair.with_ms:.1f} ms with")
        return pair

    async def _run(self, words: Sequence[str], rps: float, seconds: float, seed: int) -> tuple[Summary, bytes]:
        """Measures beside a process of `loadtest.hostile`, which also runs while the senders start."""
        command = [sys.executable, "-m", "loadtest.hostile", *words, str(HEAD_START_S + seconds)]
        async with running(Launch("attack", command, log=self.plan.logs / "attack.log")) as process:
            offsets_s = arrivals.poisson(rps, seconds, seed)
            answers, generator, _ = await ask_all_metered(self.setting, offsets_s, seconds, {})
            async with asyncio.timeout(LAST_S):
                output = await process.read_rest()
                code = await process.ended()
            if code != 0:
                raise CannotMeasure(f"the attack failed: {process.log_text()}")
        classes = [class_of(answer, self.setting.question.deadline_ms, is_wrong=False) for answer in answers]
        return summarise(answers, classes, seconds, generator), output

    def _attack(self, attack: str) -> list[str]:
        worker = self.ready["workers"][0]
        is_worker = self.port == "worker"
        address = worker["address"] if is_worker else self.ready["address"]
        service = f"worker/{worker['model']}/{len(feature_names(self.ensemble))}"
        return [attack, address, service if is_worker else f"supervisor/{self.ensemble.game}/player-00001", "1"]
