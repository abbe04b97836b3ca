"""`loadtest scaling`: measured beside simulated CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from autoscaling.capacity_profile import Batch, Capacity, Curve, ModelProfile, Pause, Profile, Spread, SupervisorProfile
from loadtest.scaling.measure import Use
from loadtest.scaling.report import Comparison, report_of
from loadtest.scaling.simulate import SimulatedUse, simulated_use
from mesh.catalog import catalog as catalogs
from tests.end_to_end.meshes import World, build_world

VERSION, REPLICAS = "median", 2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A game with the five models of one version only."""
    built = build_world(tmp_path_factory.mktemp("world"))
    values = yaml.safe_load(built.catalog.read_text())
    values["versions"] = {VERSION: values["versions"][VERSION] | {"traffic": 100}}
    built.catalog.write_text(yaml.safe_dump(values, sort_keys=False))
    return built


def profile_of(world: World) -> Profile:
    """A profile of plausible costs: a message of 0.1 ms, and of 0.5 ms after a long pause."""

    def batch(rows: int) -> Batch:
        return Batch(
            rows=rows,
            predict_p50_ms=0.01,
            predict_p95_ms=0.01,
            predict_mean_ms=0.01,
            round_trip_p50_ms=0.5,
            round_trip_p95_ms=0.6,
            rows_per_s=rows / (0.0001 + 2e-6 * rows),
            cpu_us_per_row=100 / rows + 2,
        )

    def model(name: str) -> ModelProfile:
        return ModelProfile(
            game="testgame",
            version=VERSION,
            name=name,
            sha256="",
            trees=1,
            features=1,
            start_s=Spread(min=0.1, median=0.1, max=0.1),
            start_cpu_s=0.1,
            pss_mb=20,
            idle_cores=0.001,
            batches=(batch(1), batch(64)),
            pauses=(Pause(pause_ms=1, cpu_us=150), Pause(pause_ms=20, cpu_us=500)),
            curve=Curve(base_ms=0, row_ms=0.002, residual=0),
            capacity=Capacity(rows_per_s=1, at_batch_rows=64, cpu_us_per_row=1, cores=1),
        )

    names = [one.name for one in catalogs.load(world.catalog).versions[VERSION].models]
    supervisor = SupervisorProfile(idle_cores=0.01, message_cpu_us=200, request_cpu_us=300)
    models = {name: model(name) for name in names}
    return Profile(date="", machine="", versions={}, models=models, supervisor=supervisor)


def use(replicas: int, rate_rps: float, cores: float, full: float = 1.0) -> Use:
    return Use(replicas, rate_rps, {"g-1-m": cores}, 0.1, rate_rps, rate_rps, full, 0.0)


def simulated(cores: float) -> SimulatedUse:
    return SimulatedUse({"g-1-m": cores}, 0.1, 1.0)


def test_simulated_cpu_is_that_of_the_messages(world: World) -> None:
    found = simulated_use(catalogs.load(world.catalog), profile_of(world), 1.0, replicas=2, cores=2.0)
    expected = 0.001 + 0.5 * (0.0005 + 3 * 2e-6)  # four offers: three more rows than the measured message
    assert list(found.workers.values()) == pytest.approx([expected] * 5, rel=1e-3)
    assert found.supervisor == pytest.approx(0.01 + 5 * 0.0002 + 0.0003, rel=0.01)
    assert found.cohort == pytest.approx(1.0, abs=0.01)


def test_report_has_the_largest_error_and_the_relief_by_four_replicas() -> None:
    found = [
        Comparison(use(1, 40, 0.020), simulated(0.022)),
        Comparison(use(4, 40, 0.006), simulated(0.0045)),
    ]
    report = report_of(found, "a machine")
    assert [aim.measured for aim in report.aims] == pytest.approx([0.25, 0.3, 1.2])
    assert [aim.met for aim in report.aims] == [False, True, True]
    assert report_of([replace(found[0], simulated=simulated(0.0))], "a machine").aims[0].measured == 1.0


@pytest.mark.whole_machine
def test_command_measures_every_replica_and_rate(world: World, tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(profile_of(world).as_json())
    out = tmp_path / "scaling.json"
    options = ["--replicas", str(REPLICAS), "--rates", "20", "--seconds", "1", "--json", "--out", str(out)]
    ended = scaling(world, tmp_path / "profile.json", *options)
    assert ended.returncode == 0, ended.stderr
    (found,) = json.loads(out.read_text())["uses"]
    assert json.loads(ended.stdout)["uses"] == [found]
    assert (found["replicas"], found["rate_rps"], found["full"]) == (REPLICAS, 20, 1.0)
    assert set(found["models_m"]) == {f"testgame-{VERSION}-{name}" for name in profile_of(world).models}
    assert min(found["replica_m"]["measured"], found["replica_m"]["simulated"], found["cohort"]["measured"]) > 0


def test_profile_without_a_model_is_reported_before_the_measurement(world: World, tmp_path: Path) -> None:
    poor = profile_of(world).model_copy(update={"models": {}})
    (tmp_path / "profile.json").write_text(poor.as_json())
    ended = scaling(world, tmp_path / "profile.json")
    assert ended.returncode == 2
    assert f"has no testgame/{VERSION}/binary" in ended.stderr.replace("\n", " ")


def scaling(world: World, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    where = ["--catalog", str(world.catalog), "--profile", str(profile)]
    command = [sys.executable, "-m", "loadtest", "scaling", *where, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
