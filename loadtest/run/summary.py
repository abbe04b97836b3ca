"""The summary of a run: classes, latencies from the schedule and from the send, stages, models of the tail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.measurement.latency import percentiles
from loadtest.run.answers import CLASSES, STAGES, Answer
from loadtest.run.check import Verdict

PERCENTS = (50, 90, 95, 99, 99.9, 100)
TAIL = 0.01
SHOWN_IDS = 3
LEAST_TAIL = 20  # answers: the models of fewer slow answers are chance


@dataclass(frozen=True, slots=True)
class Latencies:
    """Percentiles in ms [PERCENTS], counted from the schedule and from the send."""

    from_schedule: tuple[float, ...]
    from_send: tuple[float, ...]
    slip: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Generator:
    """The senders: `cpu` is the highest CPU use of a sender, in cores; `priority` is what the system granted."""

    processes: int
    cpu: float
    priority: str


@dataclass(frozen=True, slots=True)
class Second:
    """The requests due within one second of the run: counts by class, and latencies from the schedule."""

    second: int
    classes: Mapping[str, int]
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One run.

    `answered_rps` counts the answers served in time. `last` has the share of answers in which each model was last to
    vote, `tail` the same for the slowest 1 %; `tail` is empty if these are fewer than 20 answers. `stages_ms` has p50,
    p95 and p99 by stage. These three count only requests with an answer.
    """

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
    verdict: Verdict | None = None  # of `--check`
    unknown: int = 0  # answers for players that the store does not have
    unknown_ids: Sequence[str] = ()  # some of them

    @property
    def requests(self) -> int:
        """The number of due requests."""
        return sum(self.classes.values())

    def share(self, *classes: str) -> float:
        """The share of the requests in these classes."""
        return sum(self.classes.get(name, 0) for name in classes) / self.requests

    @property
    def needed_for_tail(self) -> int:
        """The number of answers that the models of the slowest 1 % need."""
        return round(LEAST_TAIL / TAIL)

    @property
    def whole_rps(self) -> float:
        """Full answers per second, in time."""
        return self.classes["full"] / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency from the schedule, in ms; `percent` is one of `PERCENTS`."""
        return self.latencies.from_schedule[PERCENTS.index(percent)]

    @property
    def p99_ms(self) -> float:
        """The p99 of the latency from the schedule."""
        return self.percentile_ms(99)

    @property
    def slip_p99_ms(self) -> float:
        """The p99 of how late requests were sent."""
        return self.latencies.slip[PERCENTS.index(99)]


def summarise(answers: Sequence[Answer], classes: Sequence[str], seconds: float, generator: Generator) -> Summary:
    """The summary of at least one request; `classes` has the class of each answer."""
    sent = [answer for answer in answers if answer.code != "UNSENT"]
    answered = [answer for answer in sent if answer.code == "OK"]
    counts = Counter(classes)
    unknown = [answer.player_id for answer in answered if answer.is_unknown]
    return Summary(
        seconds=seconds,
        offered_rps=len(answers) / seconds,
        sent_rps=len(sent) / _span_s(sent, seconds),
        answered_rps=sum(counts[name] for name in ("full", "partial", "fallback")) / seconds,
        classes={name: counts[name] for name in CLASSES},
        codes=dict(Counter(answer.code for answer in answers)),
        latencies=_latencies(sent),
        stages_ms=_stages(answered),
        last=last_shares(answered),
        tail=last_shares(tail_of(answered)) if TAIL * len(answered) >= LEAST_TAIL else {},
        series=_series(answers, classes),
        generator=generator,
        unknown=len(unknown),
        unknown_ids=list(dict.fromkeys(unknown))[:SHOWN_IDS],
    )


def tail_of(answers: Sequence[Answer]) -> list[Answer]:
    """The slowest 1 % of the answers, at least one."""
    slowest = sorted(answers, key=lambda answer: -answer.latency_ms)
    return slowest[: max(1, round(len(slowest) * TAIL))]


def last_shares(answers: Sequence[Answer]) -> dict[str, float]:
    """The share of answers in which each model was last to vote, largest first."""
    counts = Counter(answer.last_model for answer in answers if answer.last_model)
    return {model: count / counts.total() for model, count in counts.most_common()}


def _span_s(sent: Sequence[Answer], seconds: float) -> float:
    """The duration of the sending; longer than the schedule if the senders could not keep it."""
    return max(seconds, max((answer.sent_s for answer in sent), default=0.0))


def _latencies(sent: Sequence[Answer]) -> Latencies:
    columns = [
        [answer.latency_ms for answer in sent],
        [answer.latency_from_send_ms for answer in sent],
        [answer.slip_ms for answer in sent],
    ]
    return Latencies(*(tuple(percentiles(column or [0.0], *PERCENTS)) for column in columns))


def _stages(answered: Sequence[Answer]) -> dict[str, tuple[float, ...]]:
    columns = zip(*(answer.stages_ms for answer in answered), strict=True)
    return {stage: tuple(percentiles(column, 50, 95, 99)) for stage, column in zip(STAGES, columns, strict=False)}


def _series(answers: Sequence[Answer], classes: Sequence[str]) -> list[Second]:
    by_second: dict[int, list[tuple[Answer, str]]] = {}
    for answer, name in zip(answers, classes, strict=True):
        by_second.setdefault(int(answer.due_s), []).append((answer, name))
    return [_second(second, by_second[second]) for second in sorted(by_second)]


def _second(second: int, rows: Sequence[tuple[Answer, str]]) -> Second:
    p50_ms, p95_ms, p99_ms = percentiles([answer.latency_ms for answer, _ in rows], 50, 95, 99)
    return Second(second, Counter(name for _, name in rows), p50_ms, p95_ms, p99_ms)
