from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.compare import page
from loadtest.compare.aims import aims
from loadtest.compare.command import WORKLOADS, chosen
from loadtest.compare.results import Comparison, Figures, Outcome, best_rps, document, figures_of, median_outcome
from loadtest.compare.rounds import in_turn, steady
from loadtest.faults import CannotMeasure
from loadtest.latency import Level
from loadtest.measuring import Point, Span
from loadtest.peers import mesh, mesh_lightgbm, monolith, naive, ray_serve
from loadtest.workloads import S15, W15, W15X100, Workload
from mesh.cli import parser

PEERS = (mesh, naive, monolith, ray_serve)
FAST = Figures(200.0, 5.0, 8.0, 9.0, 2000.0, 1.0)
SLOW = Figures(50.0, 20.0, 40.0, 60.0, 9000.0, 1.0)
COMPARISON = Comparison(
    W15, {"mesh": Outcome({1: FAST, 8: FAST}, 400.0, 3.0), "ray": Outcome({1: SLOW, 8: SLOW}, 2000.0, 20.0)}, {}
)


@pytest.mark.parametrize("installed", [True, False])
def test_the_mesh_without_our_engine_is_left_out_where_models_are_simulated(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_serve, "PYTHON", tmp_path if installed else tmp_path / "python")
    ray = ["ray"] if installed else []
    names = {game: [peer.name for peer in chosen(None, WORKLOADS[game], lambda _: None)] for game in ("w15", "s15")}
    assert names == {
        "w15": ["mesh", "mesh-lightgbm", "naive", "monolith", *ray],
        "s15": ["mesh", "naive", "monolith", *ray],
    }


@pytest.mark.parametrize("engine", [None, "lightgbm"])
def test_a_mesh_without_our_engine_is_started_by_an_option_of_mesh_up(
    engine: mesh.Engine | None, tmp_path: Path
) -> None:
    command = list(mesh.up_launch(tmp_path, tmp_path, engine).command)
    assert parser.build().parse_args(command[command.index("up") :]).engine == engine


async def test_the_mesh_without_our_engine_is_the_mesh_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    @contextlib.asynccontextmanager
    async def started(_ensemble: object, _folder: Path, _logs: Path, engine: str | None = None) -> AsyncIterator[str]:
        asked.append(engine)
        yield "a system"

    monkeypatch.setattr(mesh, "trained", started)
    async with mesh_lightgbm.trained(W15, tmp_path, tmp_path):
        assert asked == ["lightgbm"]


@pytest.mark.parametrize(("workload", "times"), [(W15, 3), (W15X100, 8)])
def test_the_mesh_is_to_beat_the_monolith_by_the_best_of_each(workload: Workload, times: int) -> None:
    def met(monolith_rps: float) -> list[bool]:
        monolith: dict[float, Figures] = {1: replace(SLOW, rps=monolith_rps), 8: replace(SLOW, rps=1.0)}
        systems = {"mesh": Outcome({1: SLOW, 8: FAST}, 400.0, 3.0), "monolith": Outcome(monolith, 300.0, 2.0)}
        return [aim.met for aim in aims([Comparison(workload, systems, {})])]

    assert (met(FAST.rps / times), met(FAST.rps / times + 1)) == ([True], [False])


def test_there_is_no_aim_without_the_monolith_or_on_another_workload() -> None:
    assert aims([COMPARISON, replace(COMPARISON, workload=S15)]) == []


def test_every_system_has_every_turn_once_in_as_many_rounds_as_there_are_systems() -> None:
    firsts = [in_turn(PEERS, number)[0].name for number in range(4)]
    assert all(sorted(map(id, in_turn(PEERS, number))) == sorted(map(id, PEERS)) for number in range(4))
    assert len(set(firsts)) > 1


def test_no_two_rounds_running_have_the_same_order() -> None:
    orders = [[peer.name for peer in in_turn(PEERS, number)] for number in range(8)]
    assert all(one != other for one, other in itertools.pairwise(orders))


def test_a_slow_system_is_given_the_time_to_answer_each_caller_twice() -> None:
    assert steady(Span(1.0, 4.0), 256, rps_before=64.0) == Span(6.0, 8.0)
    assert steady(Span(1.0, 4.0), 256, rps_before=1000.0) == Span(1.0, 4.0)
    assert steady(Span(1.0, 4.0), 256, rps_before=0.0) == Span(1.0, 4.0)
    assert steady(Span(1.0, 4.0), 256, rps_before=0.1) == Span(30.0, 30.0)


def test_only_whole_answers_count_in_a_rate() -> None:
    point = Point(
        2.0, Level(100.0, 1.0, 2.0, 3.0), 200, {"FALLBACK": 50}, 0.0, {"supervisor": 0.1, "workers": 0.3}, 4.0
    )
    assert figures_of(point) == Figures(75.0, 1.0, 2.0, 3.0, 2000.0, 0.75)


def test_one_bad_round_of_three_changes_no_figure() -> None:
    good, bad = Outcome({1: FAST}, 400.0, 3.0), Outcome({1: SLOW}, 4000.0, 60.0)
    assert median_outcome([good, bad, good]) == good


def test_the_document_tells_the_mesh_over_each_peer() -> None:
    ratios = document(COMPARISON)["mesh_over_peer"]
    one = {"1": 0.25, "8": 0.25}
    assert ratios == {"ray": {"best_rps": 4.0, "pss_mb": 0.2, "p50_ms": one, "p95_ms": {"1": 0.2, "8": 0.2}}}
    assert best_rps(COMPARISON.systems["mesh"]) == 200.0


def test_a_peer_that_never_answered_has_no_ratio_of_rates() -> None:
    silent = Outcome({load: replace(SLOW, rps=0.0) for load in (1, 8)}, 2000.0, 20.0)
    told = document(replace(COMPARISON, systems={**COMPARISON.systems, "ray": silent}))
    assert told["mesh_over_peer"]["ray"]["best_rps"] is None


def test_without_the_mesh_there_are_no_ratios() -> None:
    assert document(replace(COMPARISON, systems={"ray": COMPARISON.systems["ray"]}))["mesh_over_peer"] == {}


def test_the_page_is_one_file_that_draws_every_system_and_the_limit() -> None:
    simulated = Comparison(S15, {"mesh": Outcome({0.1: FAST}, 90.0, 0.5)}, {0.1: FAST})
    text = page.render([COMPARISON, simulated], "2 cores <of something>")
    assert all(f'"name":"{name}"' in text for name in ("mesh", "ray", "limit"))
    assert "2 cores &lt;of something&gt;" in text
    assert text.count("plotly.js v") == 1
    assert "<script src=" not in text


async def test_ray_serve_that_is_not_installed_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_serve, "PYTHON", tmp_path / "python")
    with pytest.raises(CannotMeasure, match="make compare-ray"):
        async with ray_serve.trained(W15, tmp_path, tmp_path):
            raise AssertionError("it is not there")


def test_the_processes_that_carry_a_mark_are_found_wherever_they_are() -> None:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, env={**os.environ, ray_serve.MARK: "abc"}, start_new_session=True
    ) as process:
        assert ray_serve.marked("abc") == [process.pid]
        assert ray_serve.marked("ab") == []
        process.communicate(b"\n")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--systems", "mesh,torch"], "'torch' is none of mesh, mesh-lightgbm, naive, monolith, ray"),
        (["--rounds", "0"], "above zero"),
    ],
)
def test_a_bad_option_is_one_clear_line(options: list[str], complaint: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "loadtest", "compare", *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert complaint in ended.stderr.splitlines()[-1]


def test_every_system_answers_fully_and_is_measured(tmp_path: Path) -> None:
    program = """
import asyncio, json, sys
from dataclasses import replace
from pathlib import Path
from loadtest.compare import results, rounds
from loadtest.peers import mesh, monolith, naive
from loadtest.plan import Plan
from loadtest.workloads import Forests, S15, TrainedEnsemble
from loadtest.simulated.service_times import Lognormal

trained = TrainedEnsemble("tiny", "tiny", Forests("forests", 2, 3, 4, 5), models=3, offers=4, offer_features=2,
                          players=20, quorum=2, callers=(1, 4))
simulated = replace(S15, models=2, replicas=2, quorum=1, players=5, loads=(0.2,), service=Lognormal(0.01, 0.1))
faults = []
plan = Plan(1, 0.5, Path(sys.argv[1]), lambda line: None, faults.append, lambda line: None)
measured = [asyncio.run(rounds.compare(workload, (mesh, naive, monolith), plan)) for workload in (trained, simulated)]
print(json.dumps({"faults": faults, "told": [results.document(comparison) for comparison in measured]}))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=110, check=True
    )
    said = json.loads(ended.stdout)
    assert said["faults"] == []
    for told, loads in zip(said["told"], (["1", "4"], ["0.2"]), strict=True):
        assert list(told["systems"]) == ["mesh", "naive", "monolith"]
        for outcome in told["systems"].values():
            assert list(outcome["loads"]) == loads
            assert all(at["full"] == 1.0 and at["rps"] > 0 < at["cpu_us"] for at in outcome["loads"].values())
            assert outcome["pss_mb"] > 0
