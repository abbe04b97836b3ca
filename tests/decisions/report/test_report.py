from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mesh.decisions.log import open_log
from mesh.decisions.report import page
from mesh.decisions.report.division import HOLDOUT, Period
from mesh.decisions.report.summary import Difference, Report, summarise
from mesh.decisions.report.tallies import Question, tally
from mesh.decisions.schema import DECISIONS, OUTCOMES
from mesh.errors import Misconfigured
from tests.decisions import simulated_log
from tests.decisions.log_writer import write_rows
from tests.decisions.simulated_log import SimulatedGame

GAME = "dragonfall"
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
EVEN = [Period(0, {"2026-10": 45, "2026-11": 45, HOLDOUT: 10})]


def report(root: Path, baseline: str | None = None, plan: Sequence[Period] | None = None, **question: Any) -> Report:
    asked = Question(GAME, **question)
    with open_log(str(root)) as log:
        return summarise(log.name, asked, tally(log, asked), baseline, plan)


def difference(found: Report, group: str, metric: str) -> Difference:
    return next(one for one in found.differences if (one.group, one.metric) == (group, metric))


def decision(name: str, **columns: Any) -> dict[str, Any]:
    common = {"time": NOON, "player": f"p{name}", "version": "v", "method": "GetOffer", "source": "ENSEMBLE"}
    return {"decision_id": name, **common, "total_ms": 1.0, "offers": ["a"], **columns}


def purchase(decision_id: str, value: float, currency: str = "EUR", **columns: Any) -> dict[str, Any]:
    common = {"outcome_id": f"o{decision_id}{value}", "decision_id": decision_id, "kind": "purchased"}
    return {**common, "time": NOON, "received": NOON, "value": value, "currency": currency, **columns}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    simulated_log.write(folder, SimulatedGame(players=3000, days=5, explore=0.1, pinned=0.02, by_request=0.3))
    return folder


def test_report_contains_the_truth_of_the_simulated_game(root: Path) -> None:
    found = report(root, plan=EVEN)
    assert [group.name for group in found.groups] == ["2026-10", "2026-11", HOLDOUT]
    truth = {"2026-10": 0.06, "2026-11": 0.09, HOLDOUT: 0.05}
    for group in found.groups:
        interval = group.metrics["purchased"]
        assert interval is not None
        assert interval.low < truth[group.name] < interval.high
        assert group.p50_ms is not None
        assert group.p95_ms is not None
        assert 6 < group.p50_ms < group.p95_ms < 20
    better = difference(found, "2026-11", "purchased")
    assert better.baseline == HOLDOUT
    assert better.fixed.low < 0.04 < better.fixed.high
    assert better.always_valid.low < better.fixed.low < better.fixed.high < better.always_valid.high
    assert better.is_sure
    assert better.lift_percent is not None
    assert better.lift_percent.low < 80 < better.lift_percent.high
    assert [look.day for look in better.looks] == [f"2026-11-0{day}" for day in range(2, 7)]
    assert found.division.state == "as planned"


def test_counts_are_those_of_the_log(root: Path) -> None:
    found = report(root)
    written = simulated_log.simulate(SimulatedGame(players=3000, days=5, explore=0.1, pinned=0.02, by_request=0.3))
    kept = [row for row in written.decisions.to_pylist() if not row["pinned"]]
    assert sum(group.decisions for group in found.groups) == len(kept)
    assert found.left_out == {"pinned": written.decisions.num_rows - len(kept), "other methods": 0}
    of_holdout = found.groups[-1]
    assert of_holdout.sources == {"ENSEMBLE": 0, "PARTIAL": 0, "FALLBACK": of_holdout.decisions}
    assert of_holdout.players == len({row["player"] for row in kept if row["reason"] == HOLDOUT})
    ids = {row["decision_id"] for row in kept if row["version"] == "2026-11" and row["reason"] != HOLDOUT}
    requests = {row["request_id"]: row["decision_id"] for row in kept}
    bought = [row for row in written.outcomes.to_pylist() if row["kind"] == "purchased"]
    own = [row for row in bought if (row["decision_id"] or requests.get(row["request_id"])) in ids]
    group = found.groups[1]
    assert group.metrics["purchased"] is not None
    assert group.metrics["purchased"].value == pytest.approx(len(own) / group.decisions)
    assert group.metrics["revenue EUR"] is not None
    assert group.metrics["revenue EUR"].value == pytest.approx(sum(row["value"] for row in own) / group.decisions)


def test_explored_offers_are_an_arm_of_their_own(root: Path) -> None:
    found = report(root, by="arm", baseline="2026-11 best")
    parts = [f"{version} {part}" for version in ("2026-10", "2026-11") for part in ("best", "explored", "fallback")]
    assert [group.name for group in found.groups] == [*parts, HOLDOUT]
    assert {group.name for group in found.groups if group.sources["FALLBACK"]} == {parts[2], parts[5], HOLDOUT}
    assert {one.baseline for one in found.differences} == {"2026-11 best"}
    assert {one.group for one in found.differences} == {parts[0], parts[1], parts[4], HOLDOUT}


@pytest.mark.parametrize(("by", "groups"), [("source", 3), ("offer", 4), ("supervisor", 1), ("day", 5)])
def test_groups_that_are_not_random_have_no_differences(root: Path, by: str, groups: int) -> None:
    found = report(root, by=by)
    assert (len(found.groups), found.baseline, found.differences) == (groups, None, ())
    with pytest.raises(Misconfigured, match=f"--baseline: players are not assigned to a {by} at random"):
        report(root, by=by, baseline="x")


def test_unknown_baseline_is_rejected_with_the_groups(root: Path) -> None:
    with pytest.raises(Misconfigured, match=r"--baseline x: .* has only 2026-10, 2026-11, holdout in the range"):
        report(root, baseline="x")


def test_currencies_are_not_added_up(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [decision(name) for name in "abcd"])
    outcomes = [purchase("a", 3.0), purchase("a", 5.0), purchase("b", 100.0, "USD"), purchase("c", 2.0, kind="shown")]
    write_rows(tmp_path, OUTCOMES, GAME, outcomes)
    metrics = report(tmp_path).groups[0].metrics
    values = {name: one.value for name, one in metrics.items() if one is not None}
    assert values == {"shown": 0.25, "clicked": 0, "purchased": 0.5, "revenue EUR": 2.0, "revenue USD": 25.0}


def test_late_outcomes_do_not_count(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [decision("a"), decision("b")])
    late = NOON + timedelta(hours=2)
    write_rows(tmp_path, OUTCOMES, GAME, [purchase("a", 1.0), purchase("b", 1.0, time=late, received=late)])
    for within_h, value in ((1.0, 0.5), (3.0, 1.0)):
        bought = report(tmp_path, within_h=within_h).groups[0].metrics["purchased"]
        assert bought is not None
        assert bought.value == value


def test_pinned_requests_and_other_methods_are_left_out(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [decision("a"), decision("b", pinned=True), decision("c", method="Score")])
    found = report(tmp_path)
    assert found.groups[0].decisions == 1
    assert found.left_out == {"pinned": 1, "other methods": 1}
    write_rows(tmp_path, DECISIONS, GAME, [decision("b", pinned=True)])
    with pytest.raises(Misconfigured, match="has no decisions of dragonfall by GetOffer in the range; left out: 1 pin"):
        report(tmp_path)


def test_decisions_without_a_player_are_counted(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [decision("a"), decision("b", player=None), decision("c", player=None)])
    found = report(tmp_path)
    assert (found.without_player, found.groups[0].players) == (2, 3)


def test_log_without_outcomes_has_counts_and_no_differences(tmp_path: Path) -> None:
    write_rows(tmp_path, DECISIONS, GAME, [decision(f"{at}", version=f"v{at % 2}") for at in range(20)])
    found = report(tmp_path)
    assert [group.decisions for group in found.groups] == [10, 10]
    assert (found.baseline, found.differences) == ("v0", ())


def test_lost_players_of_an_arm_are_a_mismatch(tmp_path: Path) -> None:
    lossy = SimulatedGame(players=20_000, per_player=1.0, days=1, shares={"2026-10": 0.5, "2026-11": 0.45})
    simulated_log.write(tmp_path, lossy)
    found = report(tmp_path, plan=EVEN).division
    assert (found.state, found.shares_changed) == ("mismatch", False)
    assert found.p is not None
    assert found.p < 1e-6


def test_rollout_is_tested_by_its_steps(tmp_path: Path) -> None:
    step_s = (NOON + timedelta(days=1)).timestamp()
    plan = [Period(0, {"v0": 90.0, "v1": 10.0}), Period(step_s, {"v0": 50.0, "v1": 50.0})]
    rows = [decision(f"a{at}", version="v1" if at % 10 == 0 else "v0") for at in range(1000)]
    later = NOON + timedelta(days=1, hours=1)
    rows += [decision(f"b{at}", version=f"v{at % 2}", time=later) for at in range(1000)]
    moved = [decision(f"c{at}", version="v1", player=f"pa{at}", time=later) for at in range(100)]
    write_rows(tmp_path, DECISIONS, GAME, rows + moved)
    found = report(tmp_path, plan=plan).division
    assert (found.state, found.shares_changed) == ("as planned", True)
    assert found.players == {"v0": 1400, "v1": 600}
    unplanned = report(tmp_path, plan=plan[:1]).division
    assert (unplanned.state, unplanned.shares_changed) == ("not tested", True)
    assert unplanned.reason.startswith("90 players were in several arms: the shares changed in the range")
    without = report(tmp_path).division
    assert (without.state, without.shares_changed, without.expected) == ("not tested", True, None)


def test_arms_are_compared_within_the_steps_of_a_rollout(tmp_path: Path) -> None:
    """All buy more before the step of the same day, when the new version has few players: it is not worse for that."""
    step_s = NOON.timestamp()
    plan = [Period(0, {"v0": 90.0, "v1": 10.0}), Period(step_s, {"v0": 50.0, "v1": 50.0})]
    before = NOON - timedelta(hours=1)
    rows = [decision(f"a{at}", version="v1" if at % 10 == 0 else "v0", time=before) for at in range(2000)]
    rows += [decision(f"b{at}", version=f"v{at % 2}") for at in range(2000)]
    write_rows(tmp_path, DECISIONS, GAME, rows)
    bought = [purchase(f"a{at}", 1.0) for at in range(2000) if at // 10 % 2] + [
        purchase(f"b{at}", 1.0) for at in range(2000) if at // 10 % 10 == 0
    ]
    write_rows(tmp_path, OUTCOMES, GAME, bought)
    found = difference(report(tmp_path, plan=plan, steps_s=(step_s,)), "v1", "purchased")
    assert found.fixed.value == pytest.approx(0)
    by_day = difference(report(tmp_path, plan=plan), "v1", "purchased")
    assert by_day.fixed.high < -0.05


def test_page_shows_each_metric_each_difference_and_the_sources(root: Path) -> None:
    found = report(root, plan=EVEN)
    text = page.page(found, {"Command": "mesh decisions report"})
    assert "purchased %, with 95 % intervals" in text
    assert "purchased %: 2026-11 minus holdout" in text
    assert "Decisions by source" in text
    assert "as planned (p = " in text


def test_decisions_in_which_nothing_could_be_drawn_are_not_in_the_arms(tmp_path: Path) -> None:
    """Each player has a decision with one candidate, which sells well: it would make `best` look better."""
    rows, outcomes = [], []
    for player in range(200):
        drawn = {"explored": player < 100, "propensity": 0.1 if player < 100 else 0.9}
        for name, columns in ((f"drawn{player}", drawn), (f"single{player}", {"explored": False, "propensity": 1.0})):
            rows.append(decision(name, **columns, player=f"p{player}"))
        outcomes.append(purchase(f"single{player}", 1.0))
        if player % 2:
            outcomes.append(purchase(f"drawn{player}", 1.0))
    write_rows(tmp_path, DECISIONS, GAME, rows)
    write_rows(tmp_path, OUTCOMES, GAME, outcomes)
    found = report(tmp_path, by="arm", baseline="v best")
    assert [(group.name, group.decisions) for group in found.groups] == [
        ("v best", 100),
        ("v explored", 100),
        ("v without choice", 200),
    ]
    assert {one.group for one in found.differences} == {"v explored"}
    assert difference(found, "v explored", "purchased").fixed.value == 0.0
