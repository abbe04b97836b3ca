"""Rows for another version whose layouts have other features and categories than the log."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mesh.catalog.version import Combine
from mesh.decisions.side_files import Ensemble, Layout, LoggedModel, OfferValues
from mesh.errors import Misconfigured
from mesh.reference.logged.recoding import Recoding
from mesh.reference.logged.requests import Requests
from mesh.reference.logged.target import Target

OFFERS = OfferValues(("a", "b"), None, {"new": {}})
LOGGED = {
    "one": Layout(("level", "country"), {"country": ("de", "fr")}, (), frozenset()),
    "two": Layout(("country", "tier"), {"country": ("it", "de"), "tier": (10, 20)}, (), frozenset({"tier"})),
}


def target(layout: Layout, offers: OfferValues = OFFERS) -> Target:
    model = LoggedModel("m", "m.txt", "0" * 64, 1.0, None, "new")
    ensemble = Ensemble("2026-11", Combine(), None, None, (model,), None)
    return Target("catalog.yaml", ensemble, {"new": layout}, offers, {"0" * 64: Path("m.txt")})


def recoded(layout: Layout, contexts: list[dict[str, object]]) -> list[list[float]]:
    shared = {
        "one": np.array([[1.0, 0.0], [2.0, 1.0], [3.0, math.nan]]),
        "two": np.array([[1.0, 0.0], [math.nan, 1.0], [0.0, math.nan]]),
    }
    requests = Requests(
        np.ones(3, np.int64), np.zeros(3, np.int64), OFFERS, shared, [frozenset(one) for one in contexts]
    )
    rows: list[list[float]] = Recoding(target(layout), LOGGED).requests(requests, contexts).shared["new"].tolist()
    return rows


def test_features_are_found_by_name_and_categories_by_value() -> None:
    layout = Layout(("country", "level"), {"country": ("fr", "it", "de")}, (), frozenset())
    assert recoded(layout, [{}, {}, {}]) == [[2.0, 1.0], [0.0, 2.0], [1.0, 3.0]]


def test_numeric_categories_become_numbers_and_back() -> None:
    assert recoded(Layout(("tier",), {}, (), frozenset()), [{}, {}, {}])[:2] == [[10.0], [20.0]]
    layout = Layout(("level", "tier"), {"level": (2, 1), "tier": (20,)}, (), frozenset())
    assert repr(recoded(layout, [{}, {}, {}])) == repr([[1.0, math.nan], [0.0, 0.0], [math.nan, math.nan]])


def test_context_of_the_request_wins() -> None:
    layout = Layout(("level", "platform"), {"platform": ("ios", "android")}, (), frozenset({"level", "platform"}))
    contexts: list[dict[str, object]] = [{"level": 7.0, "platform": "android"}, {"platform": "unknown"}, {}]
    assert repr(recoded(layout, contexts)) == repr([[7.0, 1.0], [2.0, math.nan], [3.0, math.nan]])


def test_value_that_only_the_target_knows_is_not_in_the_log() -> None:
    found = Recoding(target(Layout(("country",), {"country": ("de", "es")}, (), frozenset())), LOGGED)
    assert found.known([None, ["tier"], ["country"], ["a"] * 8]).tolist() == [True, True, False, False]
    found = Recoding(target(Layout(("country",), {"country": ("de", "fr")}, (), frozenset())), LOGGED)
    assert found.known([["country"]]).tolist() == [True]


def test_all_features_without_a_source_are_faults() -> None:
    layout = Layout(("age", "level", "clan", "country", "minutes"), {}, (), frozenset({"minutes"}))
    with pytest.raises(Misconfigured) as raised:
        Recoding(target(layout), LOGGED)
    assert [fault.split(" has ")[0] for fault in raised.value.faults] == [
        f"catalog.yaml: feature '{name}'" for name in ("age", "clan", "country")
    ]


def test_candidate_that_the_catalog_does_not_have_is_a_fault() -> None:
    found = Recoding(target(Layout(("level",), {}, (), frozenset()), OfferValues(("b",), None, {"new": {}})), LOGGED)
    shared = {"one": np.ones((1, 2)), "two": np.ones((1, 2))}
    requests = Requests(np.array([1]), np.array([0]), OFFERS, shared, [frozenset()])
    with pytest.raises(Misconfigured, match="has no offer 'a', which is a candidate in the log"):
        found.requests(requests, [{}])
