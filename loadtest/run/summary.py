"""What a run showed, in numbers: classes, latencies from the schedule and from the send, stages, the tail's models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.latency import percentiles
from loadtest.run.answers import CLASSES, STAGES, Answer

PERCENTS = (50, 90, 95, 99, 99.9, 100)
TAIL = 0.01


@dataclass(frozen=True, slots=True)
class Latencies:
    """Percentiles in ms [PERCENTS], counted from two moments."""

    from_schedule: tuple[float, ...]
    from_send: tuple[float, ...]
    slip: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Generator:
    """How the senders did: `cpu` in cores, the most of any sender; `priority` as the system granted it."""

    processes: int
    cpu: float
    priority: str


@dataclass(frozen=True, slots=True)
class Second:
    """What was due within one second of the run: counts by class, and p50, p95, p99 from the schedule in ms."""

    second: int
    classes: Mapping[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One run. `answered_rps` counts answers that were served in time; `tail` the models that were last in the
    slowest 1 %, `last` in all; `stages_ms` has p50, p95 and p99 by stage; both only of answers that came."""

    seconds: float
    offered_rps: float
    sent_rps: float
    answered_rps: float
    classes: Mapping[str, int]
    codes: Mapping[str, int]
    latencies: Latencies
    stages_ms: Mapping[str, tuple[float, ...]]
    last: Mapping[str, float]
    tail: Mapping[str, float]
    series: Sequence[Second]
    generator: Generator

    @property
    def requests(self) -> int:
        """All that were due."""
        return sum(self.classes.values())

    def share(self, *classes: str) -> float:
        """The share of requests in these classes."""
        return sum(self.classes.get(name, 0) for name in classes) / self.requests

    @property
    def p99_ms(self) -> float:
        """Of the latency from the schedule."""
        return self.latencies.from_schedule[PERCENTS.index(99)]

    @property
    def slip_p99_ms(self) -> float:
        """How late requests left."""
        return self.latencies.slip[PERCENTS.index(99)]


def summarise(answers: Sequence[Answer], classes: Sequence[str], seconds: float, generator: Generator) -> Summary:
    """The summary of at least one request; `classes` [answers] says what became of each."""
    sent = [answer for answer in answers if answer.code != "UNSENT"]
    came = [answer for answer in sent if answer.code == "OK"]
    counts = Counter(classes)
    return Summary(
        seconds=seconds,
        offered_rps=len(answers) / seconds,
        sent_rps=len(sent) / _span_s(sent, seconds),
        answered_rps=sum(counts[name] for name in ("full", "partial", "fallback")) / seconds,
        classes={name: counts[name] for name in CLASSES},
        codes=dict(Counter(answer.code for answer in answers)),
        latencies=_latencies(sent),
        stages_ms=_stages(came),
        last=last_shares(came),
        tail=last_shares(tail_of(came)),
        series=_series(answers, classes),
        generator=generator,
    )


def tail_of(answers: Sequence[Answer]) -> list[Answer]:
    """The slowest 1 %, one at least."""
    slowest = sorted(answers, key=lambda answer: -answer.latency_ms)
    return slowest[: max(1, round(len(slowest) * TAIL))]


def last_shares(answers: Sequence[Answer]) -> dict[str, float]:
    """The share of answers in which each model was the last to vote, largest first."""
    counts = Counter(answer.last_model for answer in answers if answer.last_model)
    return {model: count / counts.total() for model, count in counts.most_common()}


def _span_s(sent: Sequence[Answer], seconds: float) -> float:
    """How long the sending took: longer than the schedule when the senders could not keep it."""
    return max(seconds, max((answer.sent_s for answer in sent), default=0.0))


def _latencies(sent: Sequence[Answer]) -> Latencies:
    columns = [
        [answer.latency_ms for answer in sent],
        [answer.latency_from_send_ms for answer in sent],
        [answer.slip_ms for answer in sent],
    ]
    return Latencies(*(tuple(percentiles(column or [0.0], *PERCENTS)) for column in columns))


def _stages(came: Sequence[Answer]) -> dict[str, tuple[float, ...]]:
    columns = zip(*(answer.stages_ms for answer in came), strict=True)
    return {stage: tuple(percentiles(column, 50, 95, 99)) for stage, column in zip(STAGES, columns, strict=False)}


def _series(answers: Sequence[Answer], classes: Sequence[str]) -> list[Second]:
    by_second: dict[int, list[tuple[Answer, str]]] = {}
    for answer, name in zip(answers, classes, strict=True):
        by_second.setdefault(int(answer.due_s), []).append((answer, name))
    return [_second(second, by_second[second]) for second in sorted(by_second)]


def _second(second: int, rows: Sequence[tuple[Answer, str]]) -> Second:
    p50_ms, p95_ms, p99_ms = percentiles([answer.latency_ms for answer, _ in rows], 50, 95, 99)
    return Second(second, Counter(name for _, name in rows), p50_ms, p95_ms, p99_ms)
