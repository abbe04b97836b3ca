"""The view model of `mesh top`: rates, quantiles, and several supervisors."""

from __future__ import annotations

import pytest

from mesh.cli.top.scrapes import Scrape
from mesh.cli.top.view import view
from tests.mesh.cli.top.mesh_pages import DAY_S, NOW_S, busy, page, scrape


def test_rates_and_quantiles_are_those_between_the_two_pages() -> None:
    found = view([busy()], NOW_S)
    (first, second) = found.versions
    assert first.ensemble.answers_per_s == pytest.approx({"ENSEMBLE": 90, "PARTIAL": 10})
    assert (first.ensemble.p50_ms, first.ensemble.p99_ms) == pytest.approx((2.0, 9.84))
    assert (first.stages["fan_out"].p50_ms, first.stages["fan_out"].p99_ms) == pytest.approx((1.0, 2.96))
    assert list(first.stages) == ["fan_out"]
    assert first.reasons == pytest.approx({"missing-models": 10})
    assert (second.ensemble.p50_ms, second.stages) == (None, {})


def test_misses_and_hedges_are_shares_of_the_answers_and_rows() -> None:
    whales = next(one for one in view([busy()], NOW_S).models if one.model.model == "whales")
    assert (whales.misses_share, whales.hedges_share) == pytest.approx((0.2, 0.03))
    assert (whales.replicas, whales.lanes) == (1, [(1, 2)])


def test_rates_of_two_supervisors_are_added_and_their_lanes_are_side_by_side() -> None:
    found = view([busy(), busy("b:9100", per_s=50)], NOW_S)
    assert sum(found.versions[0].ensemble.answers_per_s.values()) == pytest.approx(150)
    assert [one.answers_per_s for one in found.supervisors] == pytest.approx([100, 50])
    assert found.models[0].lanes == [(1, 2), (1, 2)]
    assert found.models[0].replicas == 1
    assert found.versions[0].ensemble.share == 0.9
    assert found.callers[0].waiting == 6


def test_supervisor_that_does_not_answer_leaves_the_figures_of_the_other() -> None:
    found = view([Scrape("b:9100", fault="timed out"), busy()], NOW_S)
    assert [(one.is_read, one.fault) for one in found.supervisors] == [(False, "timed out"), (True, None)]
    assert sum(found.versions[0].ensemble.answers_per_s.values()) == pytest.approx(100)
    assert view([Scrape("b:9100", fault="timed out")], NOW_S).versions == []


def test_counters_of_a_restarted_supervisor_count_from_zero() -> None:
    restarted = scrape(page(1000), page(1), seconds=1.0)
    found = view([busy("b:9100"), restarted], NOW_S)
    assert sum(found.versions[0].ensemble.answers_per_s.values()) == pytest.approx(200)


def test_callers_drift_and_certificates_are_part_of_the_view() -> None:
    found = view([busy()], NOW_S)
    (caller,) = found.callers
    assert (caller.game, caller.caller, caller.waiting) == ("g", "shop", 3)
    assert caller.per_s == pytest.approx({"ENSEMBLE": 90, "over-quota": 5})
    assert caller.refused == pytest.approx({"over-quota": 5})
    assert [(one.severity, one.kind, one.name, one.samples) for one in found.drifts] == [(1.25, "score", "asia", 900)]
    assert [one.expires_s for one in found.supervisors[0].certificates] == [3 * DAY_S]


def test_supervisors_with_different_catalogs_are_counted() -> None:
    assert view([busy(), busy("b:9100")], NOW_S).catalogs == {"g": 1}
    assert view([busy(), busy("b:9100", digest="def")], NOW_S).catalogs == {"g": 2}


def test_filter_selects_models_and_their_versions() -> None:
    found = view([busy()], NOW_S, "2/asia")
    assert [(one.model.version, one.model.model) for one in found.models] == [("2", "asia")]
    assert [one.ensemble.version for one in found.versions] == ["2"]
    assert found.drifts == []
