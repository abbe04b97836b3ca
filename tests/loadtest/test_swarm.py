from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from loadtest.generators.popularity import MAX_PLAYERS, zipf
from loadtest.swarm import sources, steps
from loadtest.swarm.command_line import as_typed, with_defaults
from loadtest.swarm.draws import drawn, games_of
from loadtest.swarm.games import plays_of
from loadtest.swarm.histogram import bucket_of, value_of
from loadtest.swarm.options import faults
from loadtest.swarm.shapes import SHAPES, users_at
from loadtest.swarm.stages import MAX_MODELS, Stages
from loadtest.swarm.timeline import MAX_POINTS, Timeline


def users_through(scenario: str) -> list[int]:
    return [users_at(scenario, hour, 24.0, 100) for hour in range(24)]


def test_steady_and_mixed_have_a_constant_number_of_users() -> None:
    assert set(users_through("steady")) == set(users_through("mixed")) == {100}


def test_each_step_adds_a_tenth_of_the_users() -> None:
    assert [users_at("step", second, 10.0, 50) for second in range(10)] == [5, 10, 15, 20, 25, 30, 35, 40, 45, 50]


def test_spike_is_five_times_the_users_before_and_after_it() -> None:
    assert [users_at("spike", second, 10.0, 50) for second in range(10)] == [10] * 4 + [50] * 2 + [10] * 4


def test_day_has_its_peak_in_the_evening_and_a_quarter_in_the_morning() -> None:
    users = users_through("day")
    assert (users.index(100), users.index(25)) == (20, 8)


@pytest.mark.parametrize("scenario", list(SHAPES))
def test_number_of_users_is_between_one_and_the_peak(scenario: str) -> None:
    assert all(1 <= users_at(scenario, second / 10, 10.0, 3) <= 3 for second in range(100))


def test_popularity_decreases_with_the_rank() -> None:
    assert zipf(4, 1.0) == pytest.approx([12 / 25, 6 / 25, 4 / 25, 3 / 25])
    assert zipf(4, 0.0) == pytest.approx([0.25] * 4)


def test_all_players_are_drawn_in_the_order_of_their_popularity() -> None:
    draw = drawn(5, 1.0, seed=1)
    players = [draw() for _ in range(3000)]
    assert sorted(set(players), key=players.count, reverse=True) == [0, 1, 2, 3, 4]


def test_games_have_weights() -> None:
    assert games_of("dragonfall:3,other") == {"dragonfall": 3.0, "other": 1.0}


@pytest.mark.parametrize("text", ["a:x", "a:0", "a:-1", "", "a,,b", "a:inf"])
def test_invalid_games_are_reported_with_the_option(text: str) -> None:
    with pytest.raises(ValueError, match="--games"):
        games_of(text)


VALID = {
    "players": 10,
    "candidates": 0,
    "zipf": 1.0,
    "player_rate": 1.0,
    "deadline_ms": 300.0,
    "get_offer_weight": 9,
    "score_weight": 0,
}


def test_valid_options_have_no_faults() -> None:
    assert list(faults(SimpleNamespace(**VALID))) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("players", -1),
        ("candidates", -1),
        ("players", MAX_PLAYERS + 1),
        ("zipf", -0.1),
        ("zipf", float("nan")),
        ("player_rate", 0.0),
        ("deadline_ms", -1.0),
        ("deadline_ms", float("nan")),
        ("get_offer_weight", 0),
        ("score_weight", -1),
    ],
)
def test_invalid_option_is_named(option: str, value: float) -> None:
    (fault,) = faults(SimpleNamespace(**{**VALID, option: value}))
    assert f"--{option.replace('_', '-')}" in fault


def test_bucket_is_within_five_percent() -> None:
    for value_ms in (0.02, 0.5, 3.0, 47.0, 5000.0):
        assert value_of(bucket_of(value_ms)) == pytest.approx(value_ms, rel=0.05)
    assert bucket_of(0.0) == 0
    assert value_of(bucket_of(1e12)) > 100_000


def timings(queue_ms: float, last_model: str) -> SimpleNamespace:
    return SimpleNamespace(
        queue_ms=queue_ms, features_ms=1.0, fan_out_ms=9.0, combine_ms=0.2, total_ms=11.0, last_model=last_model
    )


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def timeline_of(answers: list[tuple[float, str, float]]) -> Timeline:
    """A timeline with (time, source, latency in ms)."""
    clock = Clock()
    timeline = Timeline(clock)
    for clock.now_s, source, latency_ms in answers:
        timeline.add(source, latency_ms, is_unknown=source == "FALLBACK")
    return timeline


ANSWERS = [
    (100.0, "ENSEMBLE", 10.0),
    (100.9, "ENSEMBLE", 10.0),
    (101.5, "error", 300.0),
    (102.0, "FALLBACK", 50.0),
    (103.0, "ENSEMBLE", 10.0),
]


def test_series_has_the_sources_by_second_without_the_current_second() -> None:
    series = sources.series(timeline_of(ANSWERS), 103.5, 300.0)
    assert series["seconds"] == [100, 101, 102]
    rates = {source: one["rates"] for source, one in series["sources"].items()}
    assert rates == {"ENSEMBLE": [2, 0, 0], "FALLBACK": [0, 0, 1], "error": [0, 1, 0]}
    assert series["sources"]["ENSEMBLE"]["p99"] == [pytest.approx(10.0, rel=0.05), None, None]


def test_series_is_empty_before_the_first_answer() -> None:
    assert sources.series(Timeline(), 100.0, 300.0) == {"seconds": [], "deadline_ms": 300.0, "sources": {}}


def test_table_of_sources_has_the_latency_of_each_source_and_the_unknown_players() -> None:
    rows = {row["source"]: row for row in sources.rows(timeline_of(ANSWERS))}
    assert list(rows) == ["ENSEMBLE", "FALLBACK", "error", sources.UNKNOWN]
    assert (rows["ENSEMBLE"]["answers"], rows["ENSEMBLE"]["share"]) == (3, 60.0)
    assert rows["error"]["p50"] == pytest.approx(300.0, rel=0.05)
    assert rows[sources.UNKNOWN]["answers"] == 1


def test_timelines_of_several_processes_add_up() -> None:
    alone, master = timeline_of(ANSWERS), Timeline()
    for part in (ANSWERS[::2], ANSWERS[1::2]):
        master.merge(json.loads(json.dumps(timeline_of(part).take())))
    assert list(master.points()) == list(alone.points())
    assert master.unknown == alone.unknown == 1


def test_long_run_keeps_a_bounded_number_of_points_and_all_answers() -> None:
    timeline = timeline_of([(float(second), "ENSEMBLE", 10.0) for second in range(3 * MAX_POINTS)])
    points = list(timeline.points())
    assert len(points) <= MAX_POINTS
    assert timeline.width_s == 4
    assert sum(found["ENSEMBLE"].total() for _, found in points) == 3 * MAX_POINTS


def test_each_step_has_its_users_rate_and_latency() -> None:
    answers = [(second + part / 4, "ENSEMBLE", 10.0) for second in range(1000, 1010) for part in range(4)]
    slow = [(second, "PARTIAL", 90.0) for second in range(1010, 1020)]
    timeline = timeline_of([(float(at_s), source, ms) for at_s, source, ms in (*answers, *slow)])
    options = SimpleNamespace(scenario="step", run_time=100, num_users=50)
    first, second = steps.rows(timeline, options, 1000.0, 1019.0)
    assert (first["step"], first["users"], first["rate"], first["full"]) == (1, 5, 4.0, 100.0)
    assert (second["step"], second["users"], second["rate"], second["full"]) == (2, 10, 1.0, 0.0)
    assert second["p50"] == pytest.approx(90.0, rel=0.05)
    assert list(steps.rows(timeline, SimpleNamespace(scenario="day"), 1000.0, 1019.0)) == []


@pytest.mark.parametrize("fraction_s", [0.0, 0.3, 0.6, 0.9])
def test_short_steps_have_rows_whenever_the_run_begins(fraction_s: float) -> None:
    began_s = 1000.0 + fraction_s
    timeline = timeline_of([(began_s + number / 10, "ENSEMBLE", 10.0) for number in range(200)])
    options = SimpleNamespace(scenario="step", run_time=20, num_users=20)
    assert [row["step"] for row in steps.rows(timeline, options, began_s, began_s + 20)] == list(range(1, 11))


def test_pages_show_the_command_that_the_user_typed() -> None:
    typed = ["--scenario", "day"]
    assert as_typed(with_defaults(typed)) == ("python -m loadtest locust", typed)
    assert as_typed(["/bin/locust", "-f", "other.py"]) == ("locust", ["-f", "other.py"])


def options_of(**given: object) -> SimpleNamespace:
    defaults = {"scenario": "mixed", "catalog": "", "games": "", "players": 0, "player_ids": "", "context": ""}
    return SimpleNamespace(**{**defaults, "offer_ids": "", "candidates": 0, **given})


def test_games_are_those_of_the_options_and_only_mixed_plays_all() -> None:
    plays = plays_of(options_of(games="chess:3,go", players=5, context="level=2 mode=blitz"))
    assert [(play.inputs.game, play.weight) for play in plays] == [("chess", 3.0), ("go", 1.0)]
    assert plays[0].inputs.context == {"level": 2.0, "mode": "blitz"}
    assert len(plays[0].inputs.player_ids) == 5
    assert [play.inputs.game for play in plays_of(options_of(games="chess,go", scenario="steady"))] == ["chess"]
    assert [play.inputs.game for play in plays_of(options_of())] == ["dragonfall"]


def test_stages_of_several_processes_add_up() -> None:
    alone, master, one, other = Stages(), Stages(), Stages(), Stages()
    for number in range(200):
        latency_ms, model = (500.0, "whales") if number % 20 == 0 else (10.0, "minnows")
        alone.add(latency_ms, timings(number, model))
        (one if number % 3 else other).add(latency_ms, timings(number, model))
    for worker in (one, other):
        master.merge(worker.take())
    assert list(master.rows()) == list(alone.rows())
    assert list(one.rows()) == []


def test_tail_has_the_models_of_the_slowest_answers() -> None:
    stages = Stages()
    for number in range(400):
        slow = number % 20 == 0
        stages.add(500.0 if slow else 10.0, timings(1.0, "whales" if slow else "minnows"))
    rows = {str(row["what"]): row for row in stages.rows()}
    assert (rows["model minnows"]["last"], rows["model whales"]["last"]) == ("95.0%", "5.0%")
    assert (rows["model minnows"]["tail"], rows["model whales"]["tail"]) == ("0.0%", "100.0%")


def test_tail_of_few_answers_has_no_models() -> None:
    stages = Stages()
    for _ in range(30):
        stages.add(10.0, timings(1.0, "minnows"))
    for _ in range(2):
        stages.add(500.0, timings(1.0, "whales"))
    assert {row["tail"] for row in stages.rows() if str(row["what"]).startswith("model")} == {"too few"}


def test_number_of_counted_models_is_limited() -> None:
    stages = Stages()
    for number in range(2 * MAX_MODELS):
        stages.add(1.0, timings(1.0, f"model-{number}"))
    assert len(stages.take()["last"]) == MAX_MODELS
