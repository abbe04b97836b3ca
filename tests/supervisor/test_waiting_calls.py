"""Calls that wait to be read: the newest first, the callers in turn, critical callers first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.waiting_calls import WaitingCalls


def calls_of(*names: str, most: int = 100) -> WaitingCalls[str]:
    """A call for each of `names` (caller and number); the caller `c` is critical."""
    calls: WaitingCalls[str] = WaitingCalls(most)
    for number, name in enumerate(names):
        calls.add(name, float(number), "peer", name[0], is_critical=name[0] == "c")
    return calls


def popped(calls: WaitingCalls[str]) -> list[str]:
    return [calls.pop_newest().call for _ in range(len(calls))]


@given(st.lists(st.booleans(), max_size=50), st.integers(1, 10))
def test_calls_of_one_caller_begin_newest_first_and_the_oldest_are_refused(adds: list[bool], most: int) -> None:
    calls, expected = WaitingCalls[int](most), list[int]()
    for number, is_add in enumerate(adds):
        if is_add:
            calls.add(number, 1e9, "peer")
            expected.append(number)
        elif expected:
            assert calls.pop_newest().call == expected.pop()
        assert list(calls.pop_refused(0.0)) == expected[:-most]
        expected = expected[-most:]
        assert len(calls) == len(expected)


def test_callers_have_turns() -> None:
    assert popped(calls_of("f1", "f2", "f3", "f4", "p1", "p2")) == ["f4", "p2", "f3", "p1", "f2", "f1"]


def test_connections_of_a_caller_have_turns() -> None:
    calls: WaitingCalls[str] = WaitingCalls(100)
    for name in ("f1", "f2", "f3", "p1", "p2"):
        calls.add(name, 1e9, name[0], "one caller")
    assert popped(calls) == ["f3", "p2", "f2", "p1", "f1"]


def test_above_the_limit_the_connection_with_the_most_loses_its_oldest() -> None:
    calls: WaitingCalls[str] = WaitingCalls(3)
    for name in ("p1", "f1", "f2", "f3", "q1"):
        calls.add(name, 1e9, name[0])
    assert list(calls.pop_refused(0.0)) == ["f1", "f2"]
    assert popped(calls) == ["p1", "f3", "q1"]


def test_critical_callers_begin_first() -> None:
    assert popped(calls_of("f1", "c1", "f2", "c2")) == ["c2", "c1", "f2", "f1"]


def test_calls_that_waited_too_long_are_refused() -> None:
    calls = calls_of("f1", "p1", "f2")
    assert list(calls.pop_refused(1.0)) == ["f1", "p1"]
    assert popped(calls) == ["f2"]


def test_above_the_limit_the_caller_with_the_most_loses_its_oldest() -> None:
    calls = calls_of("p1", "f1", "f2", "f3", "q1", "c1", "c2", "c3", "c4", most=6)
    assert list(calls.pop_refused(-1.0)) == ["f1", "f2", "p1"]


def test_critical_callers_lose_calls_last() -> None:
    calls = calls_of("f1", "c1", "c2", "c3", most=2)
    assert list(calls.pop_refused(-1.0)) == ["f1", "c1"]
