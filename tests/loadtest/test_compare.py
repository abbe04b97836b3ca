from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.compare import page
from loadtest.compare.aims import aims
from loadtest.compare.command import PEERS, WORKLOADS, chosen
from loadtest.compare.documents import workload_document
from loadtest.compare.results import Comparison, Figures, Outcome, figures_of
from loadtest.compare.rounds import Rounds, Spans, doubts, steady
from loadtest.errors import CannotMeasure
from loadtest.measurement.latency import Level, median
from loadtest.measurement.plan import Plan
from loadtest.measurement.point import Point, Span
from loadtest.measurement.turns import in_turn
from loadtest.peers import mesh, monolith, naive, ray_serve
from loadtest.peers.mesh import Mesh
from loadtest.peers.system import Peer, System
from loadtest.simulated.service_times import Lognormal
from loadtest.workloads import S15, W15, W15X100, Forests, TrainedEnsemble, Workload
from mesh.cli import parser
from mesh.process import ProcessFailed

pytestmark = pytest.mark.whole_machine  # real time limits

SYSTEMS: tuple[Peer, ...] = (Mesh(), naive, monolith, ray_serve)
FAST = Figures(200.0, 5.0, 8.0, 9.0, 2000.0, 1.0)
SLOW = Figures(50.0, 20.0, 40.0, 60.0, 9000.0, 1.0)
COMPARISON = Comparison(
    W15, {"mesh": Outcome({1: FAST, 8: FAST}, 400.0, 3.0), "ray": Outcome({1: SLOW, 8: SLOW}, 2000.0, 20.0)}, {}
)
SHORT = Spans(closed=Span(0.1, 0.3), open=Span(0.2, 0.5))
TINY = TrainedEnsemble(
    "tiny",
    "tiny",
    Forests("forests", 2, 3, 4, 5),
    models=3,
    offers=4,
    offer_features=2,
    players=20,
    quorum=2,
    callers=(1, 4),
)
SIMULATED = replace(
    S15, models=2, replicas=2, quorum=1, players=5, loads=(0.2,), service=Lognormal(median_s=0.01, sigma=0.1)
)


@pytest.mark.parametrize("installed", [True, False])
def test_default_systems_are_those_that_are_installed_and_differ(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_serve, "PYTHON", tmp_path if installed else tmp_path / "python")
    ray = ["ray"] if installed else []
    names = {game: [peer.name for peer in chosen(None, WORKLOADS[game], lambda _: None)] for game in ("w15", "s15")}
    assert names == {
        "w15": ["mesh", "mesh-lightgbm", "mesh-2", "mesh-6", "naive", "monolith", *ray],
        "s15": ["mesh", "naive", "monolith", *ray],
    }


@pytest.mark.parametrize("engine", [None, "lightgbm"])
def test_engine_is_an_option_of_mesh_up(engine: mesh.Engine | None, tmp_path: Path) -> None:
    command = list(mesh.up_launch(tmp_path, tmp_path, engine).command)
    assert parser.build().parse_args(command[command.index("up") :]).engine == engine


@pytest.mark.parametrize("replicas", [1, 6])
def test_replicas_are_an_option_of_mesh_up(replicas: int, tmp_path: Path) -> None:
    command = list(mesh.up_launch(tmp_path, tmp_path, None, replicas).command)
    assert parser.build().parse_args(command[command.index("up") :]).replicas == replicas


@pytest.mark.parametrize(
    ("system", "started"),
    [("mesh", (None, 1)), ("mesh-lightgbm", ("lightgbm", 1)), ("mesh-2", (None, 2)), ("mesh-6", (None, 6))],
)
async def test_systems_of_the_mesh_differ_in_engine_and_replicas(
    system: str, started: tuple[str | None, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[object] = []

    @contextlib.asynccontextmanager
    async def up(_folder: Path, _logs: Path, engine: str | None, replicas: int) -> AsyncIterator[object]:
        starts.append((engine, replicas))
        yield {"address": "a", "metrics": "m", "supervisor": {"pid": 1}, "workers": []}

    async def answered(*_: object) -> None: ...

    monkeypatch.setattr(mesh, "up", up)
    monkeypatch.setattr(mesh, "first_full_answer", answered)
    async with PEERS[system].trained(W15, tmp_path, tmp_path):
        assert starts == [started]


@pytest.mark.parametrize(("share", "is_met"), [(0.96, True), (0.94, False)])
def test_scaled_out_mesh_must_be_as_fast_at_every_level(share: float, is_met: bool) -> None:
    one: dict[float, Figures] = {1: SLOW, 8: FAST}
    six: dict[float, Figures] = {1: SLOW, 8: replace(FAST, rps=share * FAST.rps)}
    systems = {"mesh": Outcome(one, 400.0, 3.0), "mesh-6": Outcome(six, 2000.0, 9.0)}
    (aim,) = [aim for aim in aims([Comparison(W15, systems, {})]) if "6 replicas" in aim.text]
    assert aim.met is is_met


@pytest.mark.parametrize(("workload", "times"), [(W15, 3), (W15X100, 8)])
def test_best_rate_of_the_mesh_must_be_a_multiple_of_the_monoliths(workload: Workload, times: int) -> None:
    def met(monolith_rps: float) -> bool:
        monolith: dict[float, Figures] = {1: replace(SLOW, rps=monolith_rps), 8: replace(SLOW, rps=1.0)}
        systems = {"mesh": Outcome({1: SLOW, 8: FAST}, 400.0, 3.0), "monolith": Outcome(monolith, 300.0, 2.0)}
        (best,) = [aim for aim in aims([Comparison(workload, systems, {})]) if "best rps" in aim.text]
        return best.met

    assert (met(FAST.rps / times), met(FAST.rps / times + 1)) == (True, False)


def test_aims_need_the_mesh_and_those_over_the_monolith_need_the_monolith() -> None:
    assert [aim.text for aim in aims([COMPARISON])] == ["W15 first full answer, s"]
    assert aims([replace(COMPARISON, workload=W15X100), replace(COMPARISON, workload=S15)]) == []
    assert aims([replace(COMPARISON, systems={"monolith": COMPARISON.systems["ray"]})]) == []


def test_every_system_has_one_turn_per_round() -> None:
    firsts = [in_turn(SYSTEMS, number)[0].name for number in range(4)]
    assert all(sorted(map(id, in_turn(SYSTEMS, number))) == sorted(map(id, SYSTEMS)) for number in range(4))
    assert len(set(firsts)) > 1


def test_consecutive_rounds_have_different_orders() -> None:
    orders = [[peer.name for peer in in_turn(SYSTEMS, number)] for number in range(8)]
    assert all(one != other for one, other in itertools.pairwise(orders))


def test_span_is_long_enough_to_answer_each_caller_twice() -> None:
    assert steady(Span(1.0, 4.0), 256, rps_before=64.0) == Span(6.0, 8.0)
    assert steady(Span(1.0, 4.0), 256, rps_before=1000.0) == Span(1.0, 4.0)
    assert steady(Span(1.0, 4.0), 256, rps_before=0.0) == Span(1.0, 4.0)
    assert steady(Span(1.0, 4.0), 256, rps_before=0.1) == Span(30.0, 30.0)


def test_seconds_option_changes_durations_and_no_warm_up() -> None:
    assert Spans().lasting(0.5) == Spans(Span(1.0, 0.5), Span(2.0, 0.5))
    assert SHORT.lasting(None) == SHORT


def test_late_generator_and_busy_replicas_are_doubts() -> None:
    point = Point(2.0, Level(100.0, 1.0, 2.0, 3.0), 200, {}, 0.9, {"supervisor": 0.1, "workers": 1.5}, 4.0)
    assert list(doubts(point)) == []
    late, busy = doubts(replace(point, slip_p99_ms=1.1, cpu_s={"supervisor": 0.1, "workers": 1.7}))
    assert (late, busy) == ("the generator sent 1.1 ms late (p99)", "the simulated replicas used 85% of a core")


def test_only_full_answers_count_in_a_rate() -> None:
    cpu_s = {"supervisor": 0.1, "workers": 0.3}
    point = Point(2.0, Level(100.0, 1.0, 2.0, 3.0), 200, {"FALLBACK": 50}, 0.0, cpu_s, 4.0)
    by_part = {"supervisor": pytest.approx(500.0), "workers": pytest.approx(1500.0)}
    assert figures_of(point) == Figures(75.0, 1.0, 2.0, 3.0, 2000.0, 0.75, by_part, 4.0)  # type: ignore[arg-type]


def test_one_bad_round_of_three_changes_no_figure() -> None:
    good, bad = Outcome({1: FAST}, 400.0, 3.0), Outcome({1: SLOW}, 4000.0, 60.0)
    assert median([good, bad, good]) == good


def test_document_has_ratios_of_the_mesh_to_each_peer() -> None:
    ratios = workload_document(COMPARISON)["mesh_over_peer"]
    one = {"1": 0.25, "8": 0.25}
    assert ratios == {"ray": {"best_rps": 4.0, "pss_mb": 0.2, "p50_ms": one, "p95_ms": {"1": 0.2, "8": 0.2}}}
    assert COMPARISON.systems["mesh"].best_rps == 200.0


def test_document_has_the_agreed_keys() -> None:
    document = workload_document(COMPARISON)
    assert set(document) == {"title", "systems", "limit", "mesh_over_peer"}
    assert set(document["systems"]["mesh"]) == {"loads", "pss_mb", "first_answer_s"}
    assert set(document["systems"]["mesh"]["loads"]["8"]) == {"rps", "p50_ms", "p95_ms", "p99_ms", "cpu_us", "full"}


def test_peer_without_full_answers_has_no_ratio_of_rates() -> None:
    silent = Outcome({load: replace(SLOW, rps=0.0) for load in (1, 8)}, 2000.0, 20.0)
    document = workload_document(replace(COMPARISON, systems={**COMPARISON.systems, "ray": silent}))
    assert document["mesh_over_peer"]["ray"]["best_rps"] is None


def test_document_has_no_ratios_without_the_mesh() -> None:
    alone = replace(COMPARISON, systems={"ray": COMPARISON.systems["ray"]})
    assert workload_document(alone)["mesh_over_peer"] == {}


def test_page_is_one_file_with_every_system_and_the_limit() -> None:
    simulated = Comparison(S15, {"mesh": Outcome({0.1: FAST}, 90.0, 0.5)}, {0.1: FAST})
    text = page.render([COMPARISON, simulated], "2 cores <of something>", {"Date": "2026-10-01"})
    assert all(f'"name":"{name}"' in text for name in ("mesh", "ray", "limit"))
    assert "2 cores &lt;of something&gt;" in text
    assert text.count("plotly.js v") == 1
    assert "<script src=" not in text


async def test_missing_ray_serve_error_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_serve, "PYTHON", tmp_path / "python")
    with pytest.raises(CannotMeasure, match="make compare-ray"):
        async with ray_serve.trained(W15, tmp_path, tmp_path):
            raise AssertionError("Ray Serve must not start")


def test_processes_with_a_mark_are_found_in_any_session() -> None:
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
        (
            ["--systems", "mesh,torch"],
            "'torch' is not one of mesh, mesh-lightgbm, mesh-2, mesh-6, ",
        ),
        (["--rounds", "0"], "above zero"),
    ],
)
def test_invalid_option_is_reported_in_one_line(options: list[str], complaint: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "loadtest", "compare", *options], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert complaint in ended.stderr.splitlines()[-1]


def short_plan(folder: Path, faults: list[str]) -> Plan:
    return Plan(1, None, folder, lambda _: None, faults.append, lambda _: None, observe_s=0.01)


class Broken:
    """A peer that does not start."""

    name = "broken"

    def __init__(self, error: Exception) -> None:
        self._error = error

    @contextlib.asynccontextmanager
    async def trained(self, *_: object) -> AsyncIterator[System]:
        raise self._error
        yield

    simulated = trained


@pytest.mark.parametrize("error", [CannotMeasure("no answer"), ProcessFailed("ended with exit code 1")])
async def test_system_that_cannot_be_measured_is_a_fault_and_is_left_out(error: Exception, tmp_path: Path) -> None:
    faults: list[str] = []
    result = await Rounds(SIMULATED, [Broken(error)], short_plan(tmp_path, faults), SHORT).compare()
    assert (result.systems, faults) == ({}, [f"s15 broken: {error}"])


async def test_strict_comparison_ends_when_a_system_cannot_be_measured(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="no answer"):
        await Rounds(
            SIMULATED, [Broken(CannotMeasure("no answer"))], short_plan(tmp_path, []), SHORT, is_strict=True
        ).compare()


@pytest.mark.parametrize(("workload", "loads"), [(TINY, ["1", "4"]), (SIMULATED, ["0.2"])], ids=["tiny", "s15"])
async def test_every_system_gives_full_answers_and_is_measured(
    workload: Workload, loads: list[str], tmp_path: Path
) -> None:
    faults: list[str] = []
    peers: tuple[Peer, ...] = (Mesh(), naive, monolith)
    document = workload_document(await Rounds(workload, peers, short_plan(tmp_path, faults), SHORT).compare())
    assert faults == []
    assert list(document["systems"]) == ["mesh", "naive", "monolith"]
    for outcome in document["systems"].values():
        assert list(outcome["loads"]) == loads
        assert all(at["full"] == 1.0 and at["rps"] > 0 < at["cpu_us"] for at in outcome["loads"].values())
        assert outcome["pss_mb"] > 0
