from __future__ import annotations

import logging

from mesh.logs.limits import KIND_WINDOW_S, MOST_KINDS, MOST_OF_A_KIND, KindLimit


def record(message: str, created: float = 0.0, *arguments: object) -> logging.LogRecord:
    one = logging.LogRecord("mesh", logging.WARNING, "file", 1, message, arguments, None)
    one.created = created
    return one


def test_a_kind_is_limited_and_its_next_line_counts_the_dropped_ones() -> None:
    limit = KindLimit()
    kept = [limit.filter(record("lane %s is down", 0.0, number)) for number in range(MOST_OF_A_KIND + 7)]
    assert (sum(kept), limit.dropped) == (MOST_OF_A_KIND, 7)
    later = record("lane %s is down", KIND_WINDOW_S, "x")
    assert limit.filter(later)
    assert later.getMessage() == "lane x is down (and 7 lines like this one were dropped)"
    assert limit.filter(again := record("lane %s is down", KIND_WINDOW_S, "y"))
    assert again.getMessage() == "lane y is down"


def test_other_kinds_are_not_limited_by_one_that_floods() -> None:
    limit = KindLimit()
    for number in range(10 * MOST_OF_A_KIND):
        limit.filter(record("flood %s", 0.0, number))
    assert limit.filter(record("rare"))


def test_texts_without_gaps_do_not_fill_the_memory() -> None:
    limit = KindLimit()
    for number in range(3 * MOST_KINDS):
        limit.filter(record(f"player {number}"))
    assert len(limit._kinds) <= MOST_KINDS
