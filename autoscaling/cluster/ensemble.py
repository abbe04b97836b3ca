"""One version's models under load for one step: how busy they are, how long votes take, which answers are whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaling.cluster.model_costs import ModelCosts
from autoscaling.cluster.queueing_model import Counts, Draws, Floats, delay_probability, mean_delay_s

SAMPLES = 200  # requests that are followed in each step
LUCK = 8192  # requests whose luck is drawn; steps take turns with it
MOST_ROWS = 1024  # of a message
BATCHING_AT = 0.7  # busier than that, replicas find several requests waiting whenever they are free


@dataclass(frozen=True, slots=True)
class Answers:
    """What callers of one version got in one step: of `SAMPLES` requests, seconds [samples], and how many were what."""

    seconds: Floats
    full: int
    partial: int
    fallback: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one version; arrays are [models].

    `cores`: CPU that all replicas of a model used together; `in_flight`: rows that wait or are with a replica; `late`:
    the share of votes that were late or never came.
    """

    cores: Floats
    in_flight: Floats
    late: Floats
    answers: Answers


class Ensemble:
    """The models of a version, their queues, and what still waits in them."""

    def __init__(
        self,
        costs: Sequence[ModelCosts],
        quorum: int,
        rows: int,
        cpu_limits: Floats,
        late_after_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._base_s, self._row_s = _column(costs, "base_s"), _column(costs, "row_s") * rows
        self._message_cpu_s, self._row_cpu_s = _column(costs, "message_cpu_s"), _column(costs, "row_cpu_s") * rows
        self._way_s, self._variability = _column(costs, "way_s"), _column(costs, "variability")
        self._most = max(1.0, MOST_ROWS / rows)
        self._quorum = quorum
        self._rows = rows
        self._limits = cpu_limits
        self._late_after_s = late_after_s
        self._draws = Draws(rng, LUCK, self._variability)
        self._chance = rng.random((LUCK, len(costs)))
        self._waiting = np.zeros(len(costs))
        self._turn = 0

    def step(self, rps: float, servers: Counts, budget_s: float, before_s: float, length_s: float) -> Step:
        """`length_s` seconds at `rps`; `before_s` of each request's `budget_s` pass before the models are asked."""
        together = self._together(rps, servers)
        hold_s = self._hold_s(together)
        most_rps = servers * self._most / self._hold_s(np.full(len(servers), self._most))
        patience_s = max(budget_s - before_s, 0.0)
        served, lost, delay_s = self._backlog(rps, most_rps, patience_s, length_s)
        offered = served / together * hold_s
        cpu_s = self._message_cpu_s + self._row_cpu_s * together
        cores = served / together * cpu_s
        probability = np.where(servers > 0, delay_probability(servers, offered), 1.0)
        wait_s = mean_delay_s(servers, offered, hold_s, self._variability)
        fixed_s = before_s + self._way_s + delay_s + (together - 1) / (2 * max(rps, 1e-9))
        answers, late = self._answers(probability, wait_s, hold_s, fixed_s, lost, budget_s)
        in_flight = self._rows * served * (probability * wait_s + hold_s + delay_s)
        return Step(cores, in_flight, late, answers)

    def _together(self, rps: float, servers: Counts) -> Floats:
        """How many requests a message carries in the mean [models]: enough that replicas are busy for BATCHING_AT."""
        spare = BATCHING_AT * servers - rps * self._row_s
        fixed = rps * self._base_s
        most = np.where(fixed > 0, self._most, 1.0)
        wanted = np.divide(fixed, spare, out=most.copy(), where=spare > fixed / self._most)
        return np.asarray(np.clip(wanted, 1.0, most))

    def _hold_s(self, together: Floats) -> Floats:
        """Seconds that a message of so many requests keeps a replica, with its CPU limit [models]."""
        cpu_s = self._message_cpu_s + self._row_cpu_s * together
        return np.maximum(self._base_s + self._row_s * together, cpu_s / self._limits)

    def _backlog(
        self, rps: float, most_rps: Floats, patience_s: float, length_s: float
    ) -> tuple[Floats, Floats, Floats]:
        """What is served [rps], the share of votes that never comes, and the delay by what waited before [models].

        What cannot be served waits, and is dropped when its requests' time is over.
        """
        had = self._waiting
        come = rps * length_s + had
        served = np.minimum(come, most_rps * length_s)
        left = come - served
        self._waiting = np.minimum(left, most_rps * patience_s)
        lost = np.minimum((left - self._waiting) / max(rps * length_s, 1e-9), 1.0)
        mean_waiting = (had + self._waiting) / 2
        delay_s = np.divide(mean_waiting, most_rps, out=np.zeros(len(most_rps)), where=most_rps > 0)
        return served / length_s, lost, delay_s

    def _answers(
        self, probability: Floats, wait_s: Floats, hold_s: Floats, fixed_s: Floats, lost: Floats, budget_s: float
    ) -> tuple[Answers, Floats]:
        first, self._turn = self._turn, (self._turn + SAMPLES) % (LUCK - SAMPLES)
        took_s = self._draws.times_s(first, SAMPLES, probability, wait_s, hold_s) + fixed_s
        voted = (took_s <= budget_s) & (self._chance[first : first + SAMPLES] >= lost)
        votes = voted.sum(axis=1)
        whole = votes == took_s.shape[1]
        fallback = int((votes < self._quorum).sum())
        full = int(whole.sum())
        seconds = np.where(whole, took_s.max(axis=1), budget_s)
        on_time = voted if self._late_after_s >= budget_s else voted & (took_s <= self._late_after_s)
        return Answers(seconds, full, SAMPLES - full - fallback, fallback), 1 - on_time.mean(axis=0)


def _column(costs: Sequence[ModelCosts], name: str) -> Floats:
    return np.array([getattr(one, name) for one in costs])
