"""The models of one version under load for one step: utilization, times of votes, complete and degraded answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaling.cluster.model_costs import ModelCosts, PauseCurves
from autoscaling.cluster.queueing_model import Counts, Floats, WaitSamples, delay_probability, mean_delay_s
from autoscaling.cluster.supervisor_costs import Journey
from mesh.dealing import MAX_MESSAGE_ROWS, best_messages, grain_rows

SAMPLES = 200  # requests that are sampled in each step
DRAWN_REQUESTS = 8192  # requests whose random numbers are drawn once; the steps reuse them in turn
BATCHING_UTILIZATION = 0.7  # above it, a replica that becomes free always finds several queued requests
_RARELY = 1e-9


@dataclass(frozen=True, slots=True)
class AnswerSample:
    """The answers of one version in one step: seconds of `SAMPLES` requests [samples], and the number of each kind."""

    seconds: Floats
    full: int
    partial: int
    fallback: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one version; arrays are [models].

    `cores`: CPU used by all replicas of a model. `in_flight`: rows that are queued or being scored. `late`: share
    of the votes that were late or missing.
    """

    cores: Floats
    in_flight: Floats
    late: Floats
    answers: AnswerSample


@dataclass(frozen=True, slots=True)
class Messages:
    """The messages of a version in one step; arrays are [models].

    `share` and `batch` are the requests in a message: as dealt, and together with the requests that wait for a replica.
    Both are below 1 if the rows of a request are divided. `cpu_s` and `service_s` are the CPU of a message, and the
    time that it occupies a replica.
    """

    share: Floats
    batch: Floats
    cpu_s: Floats
    service_s: Floats


class Ensemble:
    """The models of a version, their queues, and the backlog in them."""

    def __init__(
        self,
        costs: Sequence[ModelCosts],
        quorum: int,
        rows: int,
        cpu_limits: Floats,
        late_after_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._pause_curves = PauseCurves(costs)
        self._base_s, self._row_s = _column(costs, "base_s"), _column(costs, "row_s") * rows
        self._message_cpu_s, self._row_cpu_s = _column(costs, "message_cpu_s"), _column(costs, "row_cpu_s") * rows
        self._idle_cores = _column(costs, "idle_cores")
        self._transport_s, self._variability = _column(costs, "transport_s"), _column(costs, "variability")
        row_s = [one.row_s for one in costs]
        self._max_batch = np.array([_max_rows(one, is_alone=False) for one in row_s]) / rows
        self._max_batch_alone = np.array([_max_rows(one, is_alone=True) for one in row_s]) / rows
        self._quorum = quorum
        self._rows = rows
        self._cpu_limits = cpu_limits
        self._late_after_s = late_after_s
        self._waits = WaitSamples(rng, DRAWN_REQUESTS, self._variability)
        self._chance = rng.random((DRAWN_REQUESTS, len(costs)))
        self._backlog = np.zeros(len(costs))
        self._next_sample = 0

    def messages(self, rps: float | Floats, cohort: float | Floats, servers: Counts) -> Messages:
        """Returns the messages that the requests of cohorts become: `cohort` of each for a model, at `rps` [models]."""
        share = cohort / self._dealt(cohort, servers)
        batch = self._batch(rps, share, servers)
        per_s = np.maximum(rps / batch, _RARELY)
        pauses_s = np.maximum(servers / per_s - self._queued_s(batch), 0.0)
        resting_s = self._pause_curves.more_s(pauses_s)
        cpu_s = self._message_cpu_s + self._row_cpu_s * batch + resting_s
        return Messages(share, batch, cpu_s, np.maximum(self._queued_s(batch) + resting_s, cpu_s / self._cpu_limits))

    def journey(self, cohort: float | Floats, messages: Messages, weights: Floats) -> Journey:
        """Returns the journey of cohorts that become `messages`; `weights` [models] of the messages of each model."""
        counts = weights * cohort / messages.batch
        slowest_s = float((self._transport_s + messages.service_s).max())
        return Journey(float(counts.sum()), float((counts * messages.cpu_s).sum()), slowest_s)

    def step(
        self,
        rps: float | Floats,
        messages: Messages,
        servers: Counts,
        budget_s: float,
        before_s: float,
        length_s: float,
    ) -> Step:
        """Simulates `length_s` seconds at `rps` [models], which become `messages`.

        `before_s` of each request's `budget_s` pass before the models receive it.
        """
        batch, service_s = messages.batch, messages.service_s
        largest = self._largest(servers)
        max_rps = servers * largest / self._queued_s(largest)
        patience_s = max(budget_s - before_s, 0.0)
        served, lost, delay_s = self._work_off(rps, max_rps, patience_s, length_s)
        offered = served / batch * service_s
        cores = served / batch * messages.cpu_s + servers * self._idle_cores
        probability = np.where(servers > 0, delay_probability(servers, offered), 1.0)
        wait_s = mean_delay_s(servers, offered, service_s, self._variability)
        fixed_s = before_s + self._transport_s + delay_s + (batch - messages.share) / (2 * np.maximum(rps, 1e-9))
        answers, late = self._answers(probability, wait_s, service_s, fixed_s, lost, budget_s)
        in_flight = self._rows * served * (probability * wait_s + service_s + delay_s)
        return Step(cores, in_flight, late, answers)

    def _dealt(self, cohort: float | Floats, servers: Counts) -> Floats:
        """The messages that the rows of a cohort become [models], if all replicas are free."""
        models = len(self._row_s)
        best = np.array([best_messages(work_s, models) for work_s in (cohort * self._row_s).tolist()])
        return np.asarray(np.clip(best, 1.0, np.maximum(1.0, np.minimum(servers, cohort * self._rows))))

    def _batch(self, rps: float | Floats, share: Floats, servers: Counts) -> Floats:
        """Mean requests per message [models]: `share`, or as many as keep the replicas at BATCHING_UTILIZATION."""
        spare = BATCHING_UTILIZATION * servers - rps * self._row_s
        fixed, largest = rps * self._base_s, self._largest(servers)
        wanted = np.divide(fixed, spare, out=np.where(fixed > 0, largest, share), where=spare > fixed / largest)
        return np.minimum(np.maximum(share, wanted), largest)

    def _largest(self, servers: Counts) -> Floats:
        """The most requests in a message [models]."""
        return np.where(servers == 1, self._max_batch_alone, self._max_batch)

    def _queued_s(self, batch: Floats) -> Floats:
        """Seconds that a message of `batch` requests occupies a replica that never rests [models]."""
        cpu_s = self._message_cpu_s + self._row_cpu_s * batch
        return np.maximum(self._base_s + self._row_s * batch, cpu_s / self._cpu_limits)

    def _work_off(
        self, rps: float | Floats, max_rps: Floats, patience_s: float, length_s: float
    ) -> tuple[Floats, Floats, Floats]:
        """The served requests [rps], the share of lost votes, and the delay caused by the backlog [models].

        Requests above the capacity join the backlog; they are dropped when their time is over.
        """
        before = self._backlog
        arrived = rps * length_s + before
        served = np.minimum(arrived, max_rps * length_s)
        left = arrived - served
        self._backlog = np.minimum(left, max_rps * patience_s)
        lost = np.minimum((left - self._backlog) / np.maximum(rps * length_s, 1e-9), 1.0)
        mean_backlog = (before + self._backlog) / 2
        delay_s = np.divide(mean_backlog, max_rps, out=np.zeros(len(max_rps)), where=max_rps > 0)
        return served / length_s, lost, delay_s

    def _answers(
        self, probability: Floats, wait_s: Floats, service_s: Floats, fixed_s: Floats, lost: Floats, budget_s: float
    ) -> tuple[AnswerSample, Floats]:
        first, self._next_sample = self._next_sample, (self._next_sample + SAMPLES) % (DRAWN_REQUESTS - SAMPLES)
        took_s = self._waits.times_s(first, SAMPLES, probability, wait_s, service_s) + fixed_s
        voted = (took_s <= budget_s) & (self._chance[first : first + SAMPLES] >= lost)
        votes = voted.sum(axis=1)
        complete = votes == took_s.shape[1]
        fallback = int((votes < self._quorum).sum())
        full = int(complete.sum())
        seconds = np.where(complete, took_s.max(axis=1), budget_s)
        on_time = voted if self._late_after_s >= budget_s else voted & (took_s <= self._late_after_s)
        return AnswerSample(seconds, full, SAMPLES - full - fallback, fallback), 1 - on_time.mean(axis=0)


def _max_rows(row_s: float, is_alone: bool) -> int:
    return min(MAX_MESSAGE_ROWS, grain_rows(row_s, is_alone))


def _column(costs: Sequence[ModelCosts], name: str) -> Floats:
    return np.array([getattr(one, name) for one in costs])
