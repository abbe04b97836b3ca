"""Guards: which answers count, when a guard trips and when it does not, in virtual time over many seeds."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.catalog.shifts import Guard
from supervisor.answers import HELD_OUT, Answer, Reason, ReasonWord, Source, Timings
from supervisor.ballot import NO_VOTE
from supervisor.guard import BUCKETS, Bounds, Window
from supervisor.guards import Guards
from supervisor.traffic import Traffic
from tests.supervisor.catalogs import catalog_of

GUARD: Mapping[str, Any] = {"to": "old", "whole": 99.5, "p99_ms": 80, "window_s": 60, "min_requests": 200}
BUDGET_S = 0.3
LOST_REPLICA = "its replica was lost"


def whole(fan_out_s: float = 0.02) -> Answer:
    return Answer(Source.ENSEMBLE, None, score=0.5, timings=Timings(fan_out_s=fan_out_s))


def partial(reason: str = LOST_REPLICA, fan_out_s: float = 0.02) -> Answer:
    timings = Timings(fan_out_s=fan_out_s)
    return Answer(
        Source.PARTIAL, Reason(ReasonWord.MISSING_MODELS, "m"), score=0.5, missing=(("m", reason),), timings=timings
    )


def fallback(word: ReasonWord, *missing: str, fan_out_s: float = 0.0) -> Answer:
    timings = Timings(fan_out_s=fan_out_s)
    return Answer(Source.FALLBACK, Reason(word, ""), missing=tuple(("m", one) for one in missing), timings=timings)


@pytest.mark.parametrize(
    ("answer", "is_lost"),
    [
        (whole(), False),
        (whole(0.25), False),
        (whole()._replace(reason=Reason(ReasonWord.STALE_FEATURES, "")), False),
        (partial(), True),
        (partial(NO_VOTE, 0.25), True),
        (partial(NO_VOTE, 0.081), True),
        (partial(NO_VOTE, 0.079), None),  # the models had less time than the bound on the p99
        (fallback(ReasonWord.QUORUM, NO_VOTE, NO_VOTE, fan_out_s=0.05), None),
        (fallback(ReasonWord.QUORUM, NO_VOTE, LOST_REPLICA, fan_out_s=0.05), True),
        (fallback(ReasonWord.QUORUM, LOST_REPLICA), True),
        (fallback(ReasonWord.INTERNAL), True),
        (fallback(ReasonWord.DEADLINE), None),
        (fallback(ReasonWord.OVERLOADED), None),
        (fallback(ReasonWord.FEATURES), None),
        (fallback(ReasonWord.UNKNOWN_PLAYER), None),
        (Answer(Source.FALLBACK, HELD_OUT), None),
    ],
)
def test_only_votes_that_the_version_lost_count(answer: Answer, is_lost: bool | None) -> None:
    assert Bounds(Guard(**GUARD), BUDGET_S).is_lost(answer) is is_lost


def test_without_a_bound_on_the_p99_the_models_need_half_of_the_budget() -> None:
    bounds = Bounds(Guard(to="old", whole=99.5), BUDGET_S)
    assert bounds.is_lost(partial(NO_VOTE, 0.149)) is None
    assert bounds.is_lost(partial(NO_VOTE, 0.151)) is True


Counts = tuple[int, int, int]  # all answers, the lost ones, the slow ones


def window_of(*buckets: tuple[Counts, Counts]) -> Window:
    """A window with the counts of both versions in its first buckets."""
    window = Window(BUCKETS)
    for number, pair in enumerate(buckets):
        for is_own, (answers, lost, slow) in zip((True, False), pair, strict=True):
            for answer in range(answers):
                window.add(number, is_own, answer < lost, answer < slow)
    return window


@pytest.mark.parametrize(
    ("own", "other", "is_breach"),
    [
        ((199, 199, 199), (0, 0, 0), False),  # too few answers
        ((200, 4, 0), (0, 0, 0), False),  # one is allowed; three more can be chance
        ((200, 5, 0), (0, 0, 0), True),
        ((200, 0, 6), (0, 0, 0), False),
        ((200, 0, 7), (0, 0, 0), True),
        ((10_000, 71, 0), (0, 0, 0), False),
        ((10_000, 72, 0), (0, 0, 0), True),
        ((1000, 50, 0), (400, 0, 0), True),
        ((1000, 50, 0), (100, 0, 0), None),  # the other would have five if it were as bad
        ((1000, 50, 0), (5000, 5, 0), True),  # the other keeps the bound
        ((1000, 50, 0), (1000, 50, 0), False),
        ((1000, 50, 0), (1000, 30, 0), False),  # both break it
        ((1000, 500, 0), (1000, 30, 0), True),  # both break it, one much more
        ((1000, 50, 0), (20, 1, 0), False),
        ((1000, 600, 0), (1000, 0, 900), True),  # the other is slow, which is another fault
        ((1000, 0, 600), (1000, 0, 500), False),
        ((1000, 0, 1000), (1000, 0, 20), True),
    ],
)
def test_breach_is_a_broken_bound_that_the_other_version_does_not_excuse(
    own: Counts, other: Counts, is_breach: bool | None
) -> None:
    bounds, window = Bounds(Guard(**GUARD), BUDGET_S), window_of((own, other))
    breach = bounds.breach(window) if bounds.is_broken(window.own) else None
    assert (breach is not None, breach is not None and breach.is_certain) == (is_breach is not False, is_breach is True)


def test_shares_that_changed_in_the_window_do_not_hide_a_fault_of_both() -> None:
    before: tuple[Counts, Counts] = ((50, 0, 0), (5000, 0, 0))
    after: tuple[Counts, Counts] = ((1000, 300, 0), (1000, 300, 0))  # the next step of a rollout, and a fault of both
    assert Bounds(Guard(**GUARD), BUDGET_S).breach(window_of(before, after)) is None


def test_bound_of_100_percent_allows_no_lost_vote() -> None:
    bounds = Bounds(Guard(to="old", whole=100, min_requests=10), BUDGET_S)
    assert not bounds.is_broken((10, 0, 10))
    assert bounds.is_broken((10, 1, 0))
    assert bounds.breach(window_of(((10, 1, 0), (0, 0, 0)))) == ("1 of 10 answers lack votes (old: 0 of 0)", True)


@given(
    length_s=st.floats(1, 100),
    steps=st.lists(st.tuples(st.floats(0, 50), st.booleans(), st.booleans(), st.booleans()), max_size=60),
    first_s=st.floats(0, 1e6),
)
def test_window_counts_the_answers_of_its_buckets(
    length_s: float, steps: Sequence[tuple[float, bool, bool, bool]], first_s: float
) -> None:
    window, now_s, bucket_s = Window(length_s), first_s, length_s / BUCKETS
    seen: list[tuple[int, bool, bool, bool]] = []
    for after_s, is_own, is_lost, is_slow in steps:
        now_s += after_s
        window.add(now_s, is_own, is_lost, is_slow)
        seen.append((int(now_s / bucket_s), is_own, is_lost, is_slow))
        counted = [one for one in seen if one[0] > int(now_s / bucket_s) - BUCKETS]
        for whose, counts in ((True, window.own), (False, window.other)):
            own = [one for one in counted if one[1] is whose]
            assert counts == [len(own), sum(one[2] for one in own), sum(one[3] for one in own)]
            assert [sum(pair[not whose][kind] for pair in window.pairs()) for kind in range(3)] == counts


Draw = Callable[[random.Random], Answer]


class Recorded:
    """Counts the answers that reach the metrics."""

    def __init__(self) -> None:
        self.count = 0

    def record_cohort(self, requests: int, rows: int) -> None: ...

    def record_answer(self, answer: Answer, total_s: float, trace_id: str = "") -> None:
        del answer, total_s, trace_id
        self.count += 1


class Supervisor:
    """The traffic and the guards of two versions, `new` with a guard and `old`, and a clock that a test moves."""

    def __init__(self, share: float = 50.0, guard: Mapping[str, Any] = GUARD, *, can_answer: bool = True) -> None:
        versions: dict[str, dict[str, Any]] = {
            "new": {"traffic": share, "guard": guard},
            "old": {"traffic": 100 - share},
        }
        self.now_s = 0.0
        self.can_answer = can_answer
        self.catalog = catalog_of(versions)
        self.traffic = Traffic(self.catalog)
        self.guards = Guards(self.catalog, self.traffic, lambda _: self.can_answer, clock=lambda: self.now_s)
        self.metrics = Recorded()
        self.versions = {name: self.guards.watch(name, self.metrics) for name in versions}

    def run(self, seed: int, length_s: float, new: Draw, old: Draw, rate: float = 40.0) -> float | None:
        """Answers requests for `length_s`; returns the time until the guard trips, or None."""
        rng, begin_s = random.Random(seed), self.now_s
        while self.now_s < begin_s + length_s:
            self.now_s += rng.expovariate(rate)
            version = self.traffic.version_of(str(rng.random()))
            self.versions[version].record_answer((new if version == "new" else old)(rng), 0.02)
            if self.guards.tripped:
                return self.now_s - begin_s
        return None


def losing(share: float, slow: float = 0.0) -> Draw:
    """A version that loses a vote in `share` of its answers, and whose models are slow in `slow` of them."""
    return lambda rng: partial() if rng.random() < share else whole(0.1 if rng.random() < slow else 0.02)


HEALTHY = losing(0.0005, 0.001)
SEEDS = range(40)


@pytest.mark.parametrize("share", [5.0, 50.0, 95.0])
def test_guard_of_a_healthy_version_does_not_trip(share: float) -> None:
    assert [Supervisor(share).run(seed, 120, HEALTHY, HEALTHY) for seed in SEEDS] == [None] * len(SEEDS)


@pytest.mark.parametrize("fault", [losing(0.05), losing(0, slow=0.1), losing(1), losing(0, slow=1)])
@pytest.mark.parametrize("share", [10.0, 50.0, 100.0])
def test_guard_trips_within_its_window(share: float, fault: Draw) -> None:
    for seed in SEEDS:
        supervisor = Supervisor(share)
        supervisor.run(seed, 30, HEALTHY, HEALTHY, rate=100)
        tripped_s = supervisor.run(seed, 60, fault, HEALTHY, rate=100)
        assert tripped_s is not None
        assert supervisor.traffic.shares == {"new": 0, "old": 100}
        assert {supervisor.traffic.version_of(str(player)) for player in range(500)} == {"old"}


@pytest.mark.parametrize("fault", [losing(0.2), losing(0, slow=0.5), losing(1), losing(0, slow=1)])
@pytest.mark.parametrize("share", [10.0, 50.0, 90.0])
def test_fault_of_both_versions_trips_nothing(share: float, fault: Draw) -> None:
    for seed in SEEDS:
        supervisor = Supervisor(share)
        assert supervisor.run(seed, 60, HEALTHY, HEALTHY) is None
        assert supervisor.run(seed, 60, fault, fault) is None


def test_slow_store_trips_nothing_also_if_only_the_slower_version_loses_votes() -> None:
    def after_store(models_s: float) -> Draw:
        def draw(rng: random.Random) -> Answer:
            left_s = max(0.0, BUDGET_S - 0.01 - rng.uniform(0.2, 0.4))  # for the models, after the read of the store
            if not left_s:
                return fallback(ReasonWord.DEADLINE)
            return whole(models_s) if models_s < left_s else partial(NO_VOTE, left_s)

        return draw

    for seed in SEEDS:
        assert Supervisor().run(seed, 120, after_store(0.06), after_store(0.005)) is None


def test_guard_waits_for_its_number_of_answers() -> None:
    supervisor = Supervisor(100)
    for _ in range(199):
        supervisor.versions["new"].record_answer(partial(), 0.02)
    assert not supervisor.guards.tripped
    supervisor.versions["new"].record_answer(partial(), 0.02)
    assert supervisor.guards.tripped == {"new": "old"}
    assert supervisor.metrics.count == 200


def test_answers_that_are_older_than_the_window_do_not_count() -> None:
    supervisor = Supervisor(100)
    for _ in range(199):
        supervisor.versions["new"].record_answer(partial(), 0.02)
    supervisor.now_s += 61
    supervisor.versions["new"].record_answer(partial(), 0.02)
    assert not supervisor.guards.tripped


def test_trip_is_logged_with_the_counts(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "supervisor.guard"):
        supervisor = Supervisor(100)
        supervisor.run(1, 60, losing(1), HEALTHY)
    assert caplog.messages == [
        "g: version new breaks its guard: in 60 s, 200 of 200 answers lack votes (old: 0 of 0); "
        "old gets its players until the catalog changes"
    ]


def test_version_keeps_its_players_while_the_other_version_cannot_answer(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor(100, can_answer=False)
    with caplog.at_level(logging.WARNING, "supervisor.guard"):
        assert supervisor.run(1, 30, losing(1), HEALTHY) is None
    assert [message.rpartition("; ")[2] for message in caplog.messages] == [
        "it keeps its players, because old has no quorum of models"
    ]
    supervisor.can_answer = True
    assert supervisor.run(1, 1, losing(1), HEALTHY) is not None


def test_players_go_to_the_version_of_the_guard_also_while_it_waits_for_its_last_model() -> None:
    supervisor = Supervisor(50)
    supervisor.traffic.divert("old")
    assert supervisor.run(1, 30, losing(1), HEALTHY) is not None
    assert supervisor.traffic.shares == {"new": 0, "old": 100}


def test_guard_that_has_tripped_stays_so_with_an_equal_catalog() -> None:
    before = Supervisor(100)
    before.run(1, 30, losing(1), HEALTHY)
    traffic = Traffic(before.catalog)
    after = Guards(before.catalog, traffic, lambda _: True, before.guards.tripped)
    assert traffic.shares == {"new": 0, "old": 100}
    assert after.tripped == {"new": "old"}


def test_versions_without_a_guard_pay_nothing() -> None:
    catalog = catalog_of({"a": 50, "b": {"traffic": 50, "guard": {"to": "c", "whole": 99}}, "c": 0})
    guards, metrics = Guards(catalog, Traffic(catalog), lambda _: True), Recorded()
    assert guards.watch("a", metrics) is metrics
    assert guards.watch("b", metrics) is not metrics
    assert guards.watch("c", metrics) is not metrics


def test_players_follow_a_chain_of_guards() -> None:
    guard = {"whole": 99, "min_requests": 10}
    versions = {
        "a": {"traffic": 50, "guard": {"to": "b", **guard}},
        "b": {"traffic": 50, "guard": {"to": "c", **guard}},
    }
    catalog = catalog_of({**versions, "c": 0})
    traffic = Traffic(catalog)
    guards = Guards(catalog, traffic, lambda _: True)
    for version, shares in (("a", {"a": 0, "b": 100, "c": 0}), ("b", {"a": 0, "b": 0, "c": 100})):
        watched = guards.watch(version, Recorded())
        for _ in range(10):
            watched.record_answer(partial(), 0.02)
        assert traffic.shares == shares
