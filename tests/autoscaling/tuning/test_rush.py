"""Schedules that a search proposes for a daily load with a rush."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autoscaling.cluster import load_reader
from autoscaling.cluster.model_costs import ASSUMED
from autoscaling.cluster.simulation_input import Settings
from autoscaling.tuning import result_patch, search
from autoscaling.tuning.candidate import Candidate, with_changes
from autoscaling.tuning.rush import rush_of
from autoscaling.tuning.search import FrontierPoint
from mesh.catalog import catalog as catalogs
from mesh.catalog.deployment.schedules import Schedule
from tests.autoscaling.simulated_games import catalog, run
from tests.k8s import catalogs as files

EVENING = "day:peak=6000,trough=150,at=68400,rush=0.8"  # 19:00
HEAVY = replace(ASSUMED, row_s=0.002, row_cpu_s=0.002)
WAIT_FOR_NODES = Settings(image_s=300.0)


def test_window_begins_before_the_rush_and_covers_the_rise() -> None:
    found = rush_of(load_reader.read(EVENING))
    assert found is not None
    assert (found.cron, found.hours) == ("30 18 * * *", 1)
    assert 19 * 3600 <= found.risen_s <= 19.25 * 3600


def test_begin_is_in_utc_if_the_load_has_a_zone(tmp_path: Path) -> None:
    begin = datetime(2026, 7, 1, tzinfo=UTC)
    file, load = tmp_path / "load.csv", load_reader.read(EVENING)
    points = zip(load.at_s, load.rps, strict=True)
    rows = (f"{(begin + timedelta(seconds=at_s)).isoformat()},{rps}" for at_s, rps in points)
    file.write_text("time,rps\n" + "\n".join(rows).replace("+00:00", "+02:00"), encoding="utf-8")
    found = rush_of(load_reader.read(str(file)))
    assert found is not None
    assert found.cron == "30 16 * * *"


@pytest.mark.parametrize("load", ["day:rush=0", "steady", "spike:from=10,to=300", "ramp:length=86400"])
def test_load_that_an_hpa_can_follow_or_that_is_short_has_no_rush(load: str) -> None:
    assert rush_of(load_reader.read(load)) is None


def test_schedule_of_a_rush_gives_more_whole_answers() -> None:
    game, load = catalog(hpa={"cpu_percent": 80}), load_reader.read(EVENING)
    usual = Candidate(80, 2, 40, None)
    choice = {f"1/{name}": usual for name in ("whales", "minnows", "pvp")}
    before = run(with_changes(game, choice), EVENING, WAIT_FOR_NODES, HEAVY)
    scheduled = search._scheduled(choice, [before], load)
    assert {name for name, one in scheduled.items() if one.schedule} == set(choice)
    after = run(with_changes(game, scheduled), EVENING, WAIT_FOR_NODES, HEAVY)
    assert after.share("full") > before.share("full")
    assert after.core_hours() < 1.2 * before.core_hours()


def test_patch_has_the_schedule(tmp_path: Path) -> None:
    file = files.small(tmp_path)
    window = Schedule(cron="30 18 * * *", tz="UTC", hours=1, min=7)
    point = FrontierPoint({"1/whales": Candidate(60, 2, 10, None, (window,))}, 1.0, 1.0, 0.1, ())
    text = result_patch.patch(file, catalogs.load(file), point)
    assert "schedule: [{cron: 30 18 * * *, tz: UTC, hours: 1, min: 7}]" in text
    (after,) = [line[1:] for line in text.splitlines() if line.startswith("+versions")]
    before = file.read_text(encoding="utf-8")
    (line,) = [line for line in before.splitlines() if line.startswith("versions")]
    file.write_text(before.replace(line, after), encoding="utf-8")
    (version,) = catalogs.load(file).versions.values()
    assert version.models[0].schedule == (window,)
