"""The fair queue: lines of callers, which share the departures by weight."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from supervisor.callers_present import PRESENT_S, CallersPresent, Load, usual_load
from supervisor.fair_queue import FairQueue
from supervisor.round_robin import DEBTS

MAX_ROWS = 100


@dataclass(eq=False)
class Item:
    """A waiting ticket."""

    caller: str | None = "a"
    rows: int = 1
    weight: float = 1.0
    is_critical: bool = False
    is_answered: bool = False


def queue_of(*items: Item) -> FairQueue[Item]:
    queue: FairQueue[Item] = FairQueue()
    for item in items:
        queue.add(item)
    return queue


def taken(queue: FairQueue[Item], requests: int, rows: float = math.inf, fair_rows: float = math.inf) -> list[Item]:
    return queue.take(requests, rows, fair_rows).departing


def callers_of(items: list[Item]) -> str:
    return "".join(str(item.caller) for item in items)


items = st.builds(
    Item,
    caller=st.sampled_from("abc"),
    rows=st.integers(1, MAX_ROWS),
    weight=st.just(1.0),
    is_answered=st.sampled_from([False, False, True]),
)


@given(st.lists(items.map(lambda one: Item("a", one.rows, is_answered=one.is_answered))), st.integers(1, 300))
def test_one_caller_departs_first_in_first_out(tickets: list[Item], max_rows: int) -> None:
    queue, wanted = queue_of(*tickets), deque(one for one in tickets if not one.is_answered)
    while queue:
        expected: list[Item] = []
        while wanted and (not expected or sum(one.rows for one in expected) + wanted[0].rows <= max_rows):
            expected.append(wanted.popleft())
        assert taken(queue, len(tickets), max_rows) == expected


@given(
    st.lists(
        st.one_of(
            items.map(lambda one: ("add", one)),
            st.tuples(st.sampled_from(["take", "pop", "drop", "answer"]), items),
        ),
        max_size=60,
    )
)
def test_every_ticket_leaves_once_and_the_oldest_of_its_caller_first(steps: list[tuple[str, Item]]) -> None:
    queue, inside, departed = queue_of(), list[Item](), list[Item]()
    left: Counter[int] = Counter()
    for step, item in [*steps, *[("take", Item(rows=MAX_ROWS))] * (len(steps) + 1)]:
        if step == "add":
            queue.add(item)
            inside.append(item)
        elif step == "answer" and inside:
            inside[item.rows % len(inside)].is_answered = True
        elif step == "drop":
            left.update(map(id, queue.drop_answered()))
            inside = [one for one in inside if not one.is_answered]
        elif step == "pop" and queue:
            left[id(newest := queue.pop_newest(next(queue.lines)))] += 1
            assert newest is [one for one in inside if one.caller == newest.caller][-1]
            inside.remove(newest)
        elif step == "take":
            result = queue.take(5, item.rows)
            departed += result.departing
            gone = [*result.departing, *result.answered]
            left.update(map(id, gone))
            assert not any(one.is_answered for one in result.departing)
            assert sum(one.rows for one in result.departing) <= item.rows or len(result.departing) == 1
            for caller in "abc":  # those that leave are the first of their caller
                of_caller = [one for one in inside if one.caller == caller]
                assert [one for one in gone if one.caller == caller] == [
                    one for one in of_caller if one in gone
                ] or any(one.is_answered for one in gone)
            inside = [one for one in inside if one not in gone]
        assert (queue.count, queue.rows) == (len(inside), sum(one.rows for one in inside))
    assert not queue
    assert all(count == 1 for count in left.values())


@given(
    st.lists(st.tuples(st.floats(0.1, 10), st.integers(1, MAX_ROWS)), min_size=2, max_size=6),
    st.integers(50, 1000),
)
def test_callers_that_always_wait_get_rows_in_proportion_to_their_weights(
    callers: list[tuple[float, int]], departures: int
) -> None:
    queue, served = queue_of(), Counter[str | None]()
    for number, (weight, rows) in enumerate(callers):
        for _ in range(2):
            queue.add(Item(str(number), rows, weight))
    for _ in range(departures):
        (item,) = taken(queue, 1)
        served[item.caller] += item.rows
        queue.add(Item(item.caller, item.rows, item.weight))
    shares = [served[str(number)] / weight for number, (weight, _) in enumerate(callers)]
    # The bound of the algorithm: a ticket of each of the two, a turn, and the first tickets of a new line.
    largest = max(rows / weight for weight, rows in callers)
    assert max(shares) - min(shares) <= (DEBTS + 3) * largest + 1 + 1e-6


def test_ticket_of_another_caller_overtakes_a_flood() -> None:
    queue = queue_of(*[Item("f") for _ in range(100)], Item("p"), Item("q"))
    assert callers_of(taken(queue, 4)) in ("fpqf", "pqfp")


def test_caller_with_three_times_the_weight_gets_three_times_the_rows() -> None:
    queue = queue_of(*[Item("a", weight=3.0) for _ in range(90)], *[Item("b") for _ in range(90)])
    taken(queue, 10)
    assert callers_of(taken(queue, 8)) in ("aaabaaab", "aabaaaba", "abaaabaa", "baaabaaa")


def test_cost_of_a_ticket_is_its_rows() -> None:
    queue = queue_of(*[Item("a", rows=10) for _ in range(9)], *[Item("b") for _ in range(90)])
    served = Counter[str | None]()
    for item in taken(queue, 44):
        served[item.caller] += item.rows
    assert served == {"a": 40, "b": 40}


def test_idle_caller_saves_no_credit() -> None:
    queue = queue_of(Item("a"), Item("b"))
    taken(queue, 2)
    for _ in range(50):
        queue.add(Item("b"))
        queue.add(Item("b"))
        taken(queue, 1)
    queue.add(Item("a"))
    queue.add(Item("a"))
    assert callers_of(taken(queue, 4)).count("a") == 2


def test_critical_tickets_depart_first_and_are_not_limited() -> None:
    queue = queue_of(*[Item("f") for _ in range(9)], *[Item("c", is_critical=True) for _ in range(5)])
    assert callers_of(taken(queue, 10, 100, fair_rows=2)) == "cccccf"
    assert callers_of(taken(queue, 10, 100, fair_rows=2)) == "ff"


def test_first_tickets_of_new_lines_have_a_limit_of_their_own() -> None:
    queue = queue_of(*[Item(str(number)) for number in range(9)])
    assert len(queue.take(10, 100, fair_rows=2, new_rows=5).departing) == 5


def test_first_ticket_departs_although_it_has_more_rows_than_the_limit() -> None:
    assert callers_of(taken(queue_of(Item("a", rows=9), Item("a")), 10, 100, fair_rows=2)) == "a"


def test_late_tickets_do_not_depart() -> None:
    first, late, good = Item("a"), Item("a"), Item("a")
    result = queue_of(first, late, good).take(10, 100, is_late=lambda one: one is late)
    assert (result.departing, result.late) == ([first, good], [late])


def test_first_ticket_of_a_caller_departs_even_if_it_is_late() -> None:
    assert queue_of(Item("a"), Item("b")).take(10, 100, is_late=lambda _: True).late == []


def test_pace_of_a_caller_is_learned_while_its_tickets_stay_behind() -> None:
    queue = queue_of(*[Item("f") for _ in range(10)], Item("p"))
    for now_s in (1.0, 2.0, 3.0):
        taken(queue, 2)
        queue.learn(now_s)
    line = queue.line("f")
    assert line is not None
    assert line.row_s is not None
    assert 0.5 <= line.row_s <= 1.0
    assert line.wait_s == line.rows * line.row_s
    taken(queue, 10)
    queue.add(Item("f"))
    assert line.wait_s == 0


def test_caller_is_below_its_share_with_half_of_it() -> None:
    queue = queue_of(*[Item("f") for _ in range(9)], Item("other", rows=3))
    assert not queue.is_below_share(Item("f"))
    queue.add(Item("other", rows=20))
    assert not queue.is_below_share(Item("other"))


def test_caller_with_few_tickets_is_below_its_share_until_they_are_late() -> None:
    queue = queue_of(Item("p"), Item("p"), Item("p"))
    assert queue.is_below_share(Item("p"))
    assert queue.is_below_share(Item("new", rows=20))
    queue.add(Item("p"))
    assert not queue.is_below_share(Item("p"))
    queue.take(4, 100, is_late=lambda _: True)
    assert not queue.is_below_share(Item("p"))


def test_usual_load_is_that_of_the_caller_in_the_middle() -> None:
    assert usual_load({"f": Load(1000, 1)}) == 0
    assert usual_load({"f": Load(1000, 1), "p": Load(2, 1)}) == 2
    assert usual_load({"f": Load(1000, 1), "g": Load(900, 1), "p": Load(2, 1), "q": Load(3, 1), "r": Load(4, 1)}) == 4
    assert usual_load({"big": Load(1000, 100), "tool": Load(1, 1)}) == 10


def test_caller_alone_is_several_only_while_another_is_present() -> None:
    callers = CallersPresent()
    callers.record("a", 0.0)
    assert not callers.are_several
    callers.record("b", 1.0)
    callers.record("a", PRESENT_S)
    assert callers.are_several
    callers.record("a", PRESENT_S + 1.0)
    assert not callers.are_several
