"""`mesh compare`: figures from a metrics page, tables, JSON, and what it says without figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mesh.cli import main
from mesh.cli.compare.comparison import compare, merged
from mesh.cli.metrics_page import Page, parse
from mesh.cli.status.interval import Interval
from tests.mesh.cli.compare.metrics_server import serving_page

PAIR = 'game="g",version="v1",shadow="v2"'
CATALOG = """
game: g
features: {path: players.sqlite}
versions:
  v1: {traffic: 100, models: [{name: m, uri: m.txt}]}
  v2: {traffic: 0, shadow: SHARE, models: [{name: m, uri: m.txt}]}
"""


def text(requests: int) -> str:
    """The metrics of a supervisor after as many compared requests, with two candidates each."""
    buckets = {"live": (0.25, 0.75), "shadow": (0.5, 1.0)}
    scores = "".join(
        f"""
mesh_shadow_scores_bucket{{{PAIR},of="{side}",le="-1.0"}} 0
mesh_shadow_scores_bucket{{{PAIR},of="{side}",le="0.0"}} {2 * requests * low}
mesh_shadow_scores_bucket{{{PAIR},of="{side}",le="1.0"}} {2 * requests * high}
mesh_shadow_scores_bucket{{{PAIR},of="{side}",le="+Inf"}} {2 * requests}
mesh_shadow_scores_count{{{PAIR},of="{side}"}} {2 * requests}
mesh_shadow_scores_sum{{{PAIR},of="{side}"}} {-requests if side == "live" else requests}
mesh_shadow_seconds_bucket{{{PAIR},of="{side}",le="0.01"}} {requests}
mesh_shadow_seconds_bucket{{{PAIR},of="{side}",le="+Inf"}} {requests}
mesh_shadow_partial_total{{{PAIR},of="{side}"}} {requests / 4 if side == "shadow" else 0}"""
        for side, (low, high) in buckets.items()
    )
    return f"""{scores}
mesh_shadow_requests_total{{{PAIR},outcome="compared"}} {requests}
mesh_shadow_requests_total{{{PAIR},outcome="no-quorum"}} {requests}
mesh_shadow_requests_total{{{PAIR},outcome="expired"}} 7
mesh_shadow_ranked_total{{{PAIR}}} {requests}
mesh_shadow_same_best_total{{{PAIR}}} {requests * 0.75}
mesh_shadow_rank_correlation_bucket{{{PAIR},le="0.0"}} 0
mesh_shadow_rank_correlation_bucket{{{PAIR},le="1.0"}} {requests}
mesh_shadow_rank_correlation_bucket{{{PAIR},le="+Inf"}} {requests}
mesh_shadow_rank_correlation_count{{{PAIR}}} {requests}
mesh_shadow_rank_correlation_sum{{{PAIR}}} {requests * 0.5}
mesh_shadow_score_difference_bucket{{{PAIR},le="-1.0"}} {2 * requests}
mesh_shadow_score_difference_bucket{{{PAIR},le="+Inf"}} {2 * requests}
mesh_shadow_score_difference_count{{{PAIR}}} {2 * requests}
mesh_shadow_score_difference_sum{{{PAIR}}} {-4 * requests}
mesh_shadow_score_difference_absolute_total{{{PAIR}}} {6 * requests}
mesh_shadow_misses_total{{{PAIR},model="m"}} {requests}
mesh_shadow_misses_total{{{PAIR},model="n"}} 0
"""


def page(requests: int) -> Page:
    return parse(text(requests))


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    path = tmp_path / "mesh.yaml"
    path.write_text(CATALOG.replace("SHARE", "10"))
    return path


def test_figures_since_the_start() -> None:
    found = compare(Interval(Page({}), page(100), 1.0), "g", "v1", "v2")
    assert found.outcomes == {"compared": 100, "no-quorum": 100, "expired": 7}
    assert (found.ranked, found.same_best, found.rank_correlation) == (100, 0.75, 0.5)
    assert found.rank_correlation_p10 == pytest.approx(0.1)
    assert (found.difference_mean, found.difference_absolute) == (-2, 3)
    assert found.difference_quantiles["p50"] == -1
    assert found.score_distance == 0.25
    assert found.missing == {"m": 0.5}
    assert [found.sides[side].score_mean for side in ("live", "shadow")] == [-0.5, 0.5]
    assert [found.sides[side].score_quantiles["p50"] for side in ("live", "shadow")] == pytest.approx([0.5, 0.0])
    assert [found.sides[side].partial for side in ("live", "shadow")] == [0, 0.25]
    assert found.sides["shadow"].p50_ms == pytest.approx(5)


def test_figures_of_an_interval_count_only_its_requests() -> None:
    found = compare(Interval(page(100), page(300), 1.0), "g", "v1", "v2")
    assert found.compared == 200
    assert (found.same_best, found.rank_correlation, found.difference_mean) == (0.75, 0.5, -2)


def test_restarted_supervisor_counts_from_zero() -> None:
    found = compare(Interval(page(300), page(100), 1.0), "g", "v1", "v2")
    assert (found.compared, found.difference_mean, found.difference_absolute) == (100, -2, 3)


def test_supervisors_are_added() -> None:
    found = compare(Interval(Page({}), merged([page(100), page(50)]), 1.0), "g", "v1", "v2")
    assert (found.compared, found.same_best, found.difference_mean) == (150, 0.75, -2)


def test_command_prints_tables_and_json(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving_page(text(100)) as address:
        assert main.main(["compare", str(catalog), "v1", "v2", "--metrics", address]) == 0
        table = capsys.readouterr().out
        assert main.main(["compare", str(catalog), "v1", "v2", "--metrics", address, "--json"]) == 0
    assert "g: 100 requests of v1 were also scored by v2" in table
    assert "75.00%" in table
    assert "not compared: 100 no-quorum, 7 expired" in table
    assert "requests without a vote of a model of v2: m 50.0%" in table
    found = json.loads(capsys.readouterr().out)
    assert (found["compared"], found["same_best"], found["sides"]["live"]["score_mean"]) == (100, 0.75, -0.5)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("v1", "v3"), "versions: there is no version 'v3'; known: v1, v2"),
        (("v1", "v1"), "versions.v1: is compared with itself"),
    ],
)
def test_wrong_versions_are_named(
    catalog: Path, versions: tuple[str, str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["compare", str(catalog), *versions]) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("share", "metrics", "expected"),
    [
        ("0", "", "versions.v2.shadow is 0; set it to a percentage of the players"),
        ("10", "", "none was sampled; wait for requests of players of v1"),
        ("10", f'mesh_shadow_requests_total{{{PAIR},outcome="no-quorum"}} 3', "its votes were missing"),
        ("10", f'mesh_shadow_requests_total{{{PAIR},outcome="expired"}} 3', "the mesh had no idle moment"),
    ],
)
def test_command_says_why_nothing_was_compared(
    catalog: Path, share: str, metrics: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.write_text(CATALOG.replace("SHARE", share))
    with serving_page(metrics + "\n") as address:
        assert main.main(["compare", str(catalog), "v1", "v2", "--metrics", address]) == 1
    assert f"no request of v1 was compared with v2: {expected}" in capsys.readouterr().err
