from __future__ import annotations

from types import SimpleNamespace

import pytest

from loadtest.generators.popularity import MAX_PLAYERS, zipf
from loadtest.swarm import sources
from loadtest.swarm.draws import drawn, games_of
from loadtest.swarm.options import faults
from loadtest.swarm.shapes import SHAPES, users_at
from loadtest.swarm.stages import MAX_MODELS, Stages, bucket_of, value_of


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
        ("players", 0),
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


def test_series_has_the_sources_by_second_without_the_current_second() -> None:
    def entry(**counts: int) -> SimpleNamespace:
        return SimpleNamespace(num_reqs_per_sec={int(second[1:]): count for second, count in counts.items()})

    entries = {
        ("GetOffer ENSEMBLE", "gRPC"): entry(_100=5, _102=7, _103=1),
        ("Score ENSEMBLE", "gRPC"): entry(_100=1),
        ("GetOffer error", "gRPC"): entry(_101=2),
    }
    series = sources.series(SimpleNamespace(entries=entries))
    assert series["seconds"] == [100, 101, 102]
    assert {source: one["rates"] for source, one in series["sources"].items()} == {
        "ENSEMBLE": [6, 0, 7],
        "error": [0, 2, 0],
    }


def test_series_is_empty_before_the_first_answer() -> None:
    assert sources.series(SimpleNamespace(entries={})) == {"seconds": [], "sources": {}}


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
    for number in range(200):
        slow = number % 20 == 0
        stages.add(500.0 if slow else 10.0, timings(1.0, "whales" if slow else "minnows"))
    rows = {str(row["what"]): row for row in stages.rows()}
    assert (rows["model minnows"]["last"], rows["model whales"]["last"]) == ("95.0%", "5.0%")
    assert (rows["model minnows"]["tail"], rows["model whales"]["tail"]) == ("0.0%", "100.0%")


def test_number_of_counted_models_is_limited() -> None:
    stages = Stages()
    for number in range(2 * MAX_MODELS):
        stages.add(1.0, timings(1.0, f"model-{number}"))
    assert len(stages.take()["last"]) == MAX_MODELS
