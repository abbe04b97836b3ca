import io
from dataclasses import asdict, replace

import pytest
from rich.console import Console

from mesh.cli.console import stdout
from mesh.cli.metrics_page import Page, parse
from mesh.cli.status.interval import Interval
from mesh.cli.status.mesh_status import MeshStatus, ModelStatus, filtered, status
from mesh.cli.status.shadow_status import ShadowStatus
from mesh.cli.status.tables import tables

VERSION = 'game="g",version="1"'
LANES = f"""
mesh_lanes{{{VERSION},model="whales",state="up"}} 1
mesh_lanes{{{VERSION},model="whales",state="connecting"}} 0
mesh_lanes{{{VERSION},model="whales",state="down"}} 1
mesh_rows_waiting{{{VERSION},model="whales"}} 4
mesh_model_replicas{{{VERSION},model="whales",sha256="0123456789abcdef",engine="own"}} 1
mesh_rows_outstanding{{{VERSION},model="whales"}} 2
mesh_lanes_out{{{VERSION},model="whales"}} 1
"""


def page(seconds: int) -> Page:
    """The metrics of a supervisor after `seconds` with 100 answers per second, one in ten PARTIAL."""
    answers = 100 * seconds
    return parse(f"""{LANES}
mesh_requests_total{{{VERSION},source="ENSEMBLE",reason="none"}} {answers * 0.9}
mesh_requests_total{{{VERSION},source="PARTIAL",reason="late"}} {answers * 0.06}
mesh_requests_total{{{VERSION},source="PARTIAL",reason="lost"}} {answers * 0.04}
mesh_request_seconds_bucket{{{VERSION},le="0.001"}} 0
mesh_request_seconds_bucket{{{VERSION},le="0.002"}} {answers * 0.5}
mesh_request_seconds_bucket{{{VERSION},le="0.01"}} {answers}
mesh_request_seconds_bucket{{{VERSION},le="+Inf"}} {answers}
mesh_stage_seconds_sum{{{VERSION},stage="queue"}} {answers * 0.0005}
mesh_stage_seconds_count{{{VERSION},stage="queue"}} {answers}
mesh_cohort_requests_sum{{{VERSION}}} {answers}
mesh_cohort_requests_count{{{VERSION}}} {answers / 4}
mesh_model_misses_total{{{VERSION},model="whales"}} {answers * 0.1}
mesh_second_try_rows_total{{{VERSION},model="whales",cause="overdue"}} {answers * 0.05}
mesh_second_try_rows_total{{{VERSION},model="whales",cause="failed"}} {answers * 0.01}
mesh_second_try_wins_total{{{VERSION},model="whales"}} {answers * 0.02}
mesh_requests_waiting{{{VERSION}}} 3
mesh_cohorts_under_way 2
mesh_starved_share 0.25
""")


@pytest.fixture
def busy() -> MeshStatus:
    return status(Interval(page(10), page(12), seconds=2.0))


def of_game(refused: int = 0, pending: int = 0, waiting: int = 0, more: str = "") -> MeshStatus:
    gauges = f"""{LANES}
mesh_catalog_refused{{game="g"}} {refused}
mesh_catalog_pending{{game="g"}} {pending}
mesh_version_waiting{{{VERSION}}} {waiting}
mesh_traffic_share{{{VERSION}}} 1
{more}"""
    return status(Interval(parse(gauges), parse(gauges), seconds=1.0))


def test_catalog_that_is_not_in_force_is_named() -> None:
    assert "g: the latest catalog" not in _text(of_game())
    assert "g: the latest catalog has faults, and the catalog before it is in force" in _text(of_game(refused=1))
    assert "g: the latest catalog waits for replicas that serve its models" in _text(of_game(pending=1))
    of_version = _text(of_game(pending=1, waiting=1))
    assert "g: version 1 waits for replicas" in of_version
    assert "the latest catalog" not in of_version
    assert filtered(of_game(refused=1), "other").games == []


def test_holdout_is_named() -> None:
    held_out = of_game(more='mesh_traffic_share{game="g",version="(holdout)"} 0.02')
    assert "g: the holdout, 2 % of the players, gets the fallback" in _text(held_out)
    assert [one.version for one in held_out.ensembles] == ["1"]


def test_removed_version_is_left_out_when_it_has_no_answers_any_more() -> None:
    def with_removed(answers: int) -> Page:
        return parse(f"""{LANES}
mesh_traffic_share{{{VERSION}}} 1
mesh_requests_total{{game="g",version="0",source="ENSEMBLE",reason="none"}} {answers}
""")

    last_answers = status(Interval(with_removed(10), with_removed(12), seconds=1.0))
    assert [one.version for one in last_answers.ensembles] == ["1", "0"]
    later = status(Interval(with_removed(12), with_removed(12), seconds=1.0))
    assert [one.version for one in later.ensembles] == ["1"]


def test_shadows_are_listed_only_if_there_are_any(busy: MeshStatus) -> None:
    pair = 'game="g",version="1",shadow="2"'

    def with_shadow(requests: int) -> Page:
        text = f"""
mesh_shadow_requests_total{{{pair},outcome="compared"}} {requests}
mesh_shadow_requests_total{{{pair},outcome="expired"}} {requests / 2}
mesh_shadow_ranked_total{{{pair}}} {requests}
mesh_shadow_same_best_total{{{pair}}} {requests * 0.75}
"""
        return parse(text)

    found = status(Interval(with_shadow(100), with_shadow(300), seconds=2.0))
    assert found.shadows == [ShadowStatus("g", "1", "2", 100, 50, 0.75)]
    assert "75%" in _text(found)
    assert busy.shadows == []
    assert "same best" not in _text(busy)


def _text(found: MeshStatus) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(tables(found))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_rates_cover_the_interval(busy: MeshStatus) -> None:
    assert busy.ensembles[0].answers_per_s == pytest.approx({"ENSEMBLE": 90, "PARTIAL": 10})


def test_latencies_come_from_the_increase_of_the_buckets(busy: MeshStatus) -> None:
    (ensemble,) = busy.ensembles
    assert (ensemble.p50_ms, ensemble.p95_ms, ensemble.p99_ms) == pytest.approx((2.0, 9.2, 9.84))


def test_stages_and_cohorts_are_means(busy: MeshStatus) -> None:
    (ensemble,) = busy.ensembles
    assert ensemble.stages_ms["queue"] == pytest.approx(0.5)
    assert ensemble.stages_ms["features"] is None
    assert ensemble.mean_cohort == pytest.approx(4.0)


def test_lanes_and_rows_of_a_model_come_from_the_end_of_the_interval(busy: MeshStatus) -> None:
    (model,) = busy.models
    gauges = {"lanes_up": 1, "lanes": 2, "lanes_out": 1, "rows_waiting": 4, "rows_outstanding": 2}
    rates = {"second_try_rows_per_s": 6.0, "second_try_wins_per_s": 2.0, "misses_per_s": 10.0}
    values = asdict(model)
    assert {name: values[name] for name in gauges} == gauges
    assert {name: values[name] for name in rates} == pytest.approx(rates)
    assert (model.sha256, model.engines) == ("0123456789abcdef", {"own": 1})


def test_supervisor_gauges_are_part_of_the_status(busy: MeshStatus) -> None:
    assert (busy.ensembles[0].waiting, busy.cohorts_under_way, busy.starved_share) == (3, 2, 0.25)


def test_idle_mesh_has_no_latencies() -> None:
    (ensemble,) = status(Interval(page(10), page(10), seconds=1.0)).ensembles
    assert (ensemble.p50_ms, ensemble.mean_cohort, ensemble.answers_per_s["ENSEMBLE"]) == (None, None, 0.0)


def test_counters_of_a_restarted_supervisor_count_from_zero() -> None:
    (ensemble,) = status(Interval(page(1000), page(1), seconds=1.0)).ensembles
    assert ensemble.answers_per_s["ENSEMBLE"] == pytest.approx(90)
    assert ensemble.p50_ms == pytest.approx(2.0)


def test_version_without_workers_is_shown_with_its_fallbacks() -> None:
    before, after = (
        parse(f'mesh_requests_total{{{VERSION},source="FALLBACK",reason="quorum"}} {count}\n') for count in (0, 5)
    )
    (ensemble,) = status(Interval(before, after, seconds=1.0)).ensembles
    assert ensemble.answers_per_s == {"FALLBACK": 5.0}


def test_share_of_the_players_and_a_tripped_guard_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    gauges = f"""
mesh_traffic_share{{{VERSION}}} 0.985
mesh_traffic_share{{game="g",version="2"}} 0
mesh_guard_tripped{{game="g",version="2"}} 1
mesh_requests_total{{game="g",version="2",source="ENSEMBLE",reason="none"}} 0
"""
    found = status(Interval(page(10), parse(LANES + gauges), seconds=1.0))
    assert [(one.version, one.share, one.guard_tripped) for one in found.ensembles] == [
        ("1", 0.985, False),
        ("2", 0, True),
    ]
    stdout().print(tables(found))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1].startswith("g 1 98.5 % ")
    assert lines[2].startswith("g 2 0 %, guard has tripped ")


def test_table_shows_the_cpu_wait_only_under_load(busy: MeshStatus, capsys: pytest.CaptureFixture[str]) -> None:
    idle = status(Interval(page(10), page(10), seconds=1.0))
    for one, expected in ((busy, "25% of the time that it wanted a CPU"), (idle, "-")):
        stdout().print(tables(one))
        assert capsys.readouterr().out.endswith(f"CPU wait of the busiest thread: {expected}\n")


LONG = "a-model-whose-name-has-sixty-three-characters-which-is-the-limit"[:63]


def many(count: int) -> MeshStatus:
    """A mesh with `count` models; the last one has a replica that is down."""
    one = ModelStatus("g", "1", "", 1, 1, 0, 0, 0, 0.0, 0.0, 0.0, "0123456789abcdef", {"own": 1})
    models = [replace(one, model=f"model-{number:02d}") for number in range(count)]
    return MeshStatus([], [*models[:-1], replace(models[-1], lanes=2)], 0, 0.0)


def printed(whole: MeshStatus, width: int, height: int | None = None) -> list[str]:
    console = Console(width=width, file=io.StringIO())
    console.print(tables(whole, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_names_are_whole_in_80_columns_with_file_and_engine() -> None:
    lines = printed(many(3), 80)
    assert all(len(line) <= 80 for line in lines)
    row = next(line.split() for line in lines if "model-00" in line)
    assert (row[:4], row[-2:]) == (["g", "1", "model-00", "1/1"], ["own", "0123456789ab"])


def test_columns_are_left_out_rather_than_a_name_cut() -> None:
    one = ModelStatus("game", "2026-10", LONG, 1, 1, 0, 0, 0, 0.0, 0.0, 0.0, "0123456789abcdef", {"own": 1})
    lines = printed(MeshStatus([], [one], 0, 0.0), 90)
    assert any(LONG in line for line in lines)
    assert not any("outstanding" in line for line in lines)


def test_model_with_a_problem_is_shown_first_in_a_low_terminal() -> None:
    lines = printed(many(40), 80, height=24)
    assert len(lines) <= 24
    assert any("model-39" in line for line in lines)
    assert "24 more models without problems: give --filter TEXT, or --once" in lines


def test_filter_keeps_the_models_that_contain_the_text() -> None:
    assert [one.model for one in filtered(many(12), "1/model-1").models] == ["model-10", "model-11"]
    assert len(filtered(many(12), "").models) == 12


def test_model_that_is_being_replaced_shows_both_files() -> None:
    two = parse(f"""{LANES}
mesh_model_replicas{{{VERSION},model="whales",sha256="fedcba9876543210",engine="own"}} 2
mesh_model_file_in_use{{{VERSION},model="whales",sha256="0123456789abcdef"}} 0
mesh_model_file_in_use{{{VERSION},model="whales",sha256="fedcba9876543210"}} 1
""")
    (one,) = status(Interval(two, two, 1)).models
    assert (one.sha256, one.engines) == ("fedcba9876543210", {"own": 3})
    assert any(
        "fedcba987654 x 2, unused 0123456789ab x 1" in line for line in printed(MeshStatus([], [one], 0, 0.0), 160)
    )


def test_two_engines_of_one_model_are_counted() -> None:
    one = ModelStatus("g", "1", "whales", 3, 3, 0, 0, 0, 0.0, 0.0, 0.0, "0123456789abcdef", {"own": 2, "lightgbm": 1})
    assert any("lightgbm x 1, own x 2" in line for line in printed(MeshStatus([], [one], 0, 0.0), 120))
