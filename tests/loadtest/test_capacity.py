from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from autoscaling.capacity_profile import FORMAT, Batch, by_key, load, merged
from loadtest.capacity.curve import capacity_of, fit
from loadtest.capacity.measure import drawn_rows
from loadtest.capacity.supervisor import costs_of
from loadtest.errors import CannotMeasure
from loadtest.scaling.measure import Use
from loadtest.scaling.simulate import simulated_use
from mesh.catalog import catalog as catalogs
from mesh.errors import Misconfigured
from mesh.model_file import ModelHeader
from tests.end_to_end.meshes import World, build_world
from tests.started_mesh import MESH


def batch(rows: int, predict_ms: float, rows_per_s: float = 1000.0) -> Batch:
    return Batch(
        rows=rows,
        predict_p50_ms=predict_ms,
        predict_p95_ms=predict_ms,
        predict_mean_ms=predict_ms,
        round_trip_p50_ms=predict_ms,
        round_trip_p95_ms=predict_ms,
        rows_per_s=rows_per_s,
        cpu_us_per_row=50.0,
    )


def test_fit_finds_the_line_through_the_batches() -> None:
    curve = fit([batch(rows, 0.2 + 0.05 * rows) for rows in (1, 16, 256)])
    assert (curve.base_ms, curve.row_ms, curve.residual) == pytest.approx((0.2, 0.05, 0.0), abs=1e-9)


def test_capacity_is_that_of_the_best_batch() -> None:
    capacity = capacity_of([batch(1, 1.0, 1000.0), batch(64, 1.0, 20_000.0), batch(256, 1.0, 15_000.0)])
    assert (capacity.rows_per_s, capacity.at_batch_rows, capacity.cores) == (20_000.0, 64, 1.0)


def test_rows_have_stored_values_category_codes_and_random_values() -> None:
    header = ModelHeader(("gold", "tier", "session"), {"tier": (10, 20)}, "binary", 1, 1)
    rows = drawn_rows(header, np.array([[7.0, 1.0], [8.0, 2.0]]), ("gold", "level"), np.random.default_rng(0))
    assert rows[:, 0].tolist() == [7.0, 8.0]
    assert set(rows[:, 1].tolist()) <= {0.0, 1.0}
    assert np.isfinite(rows[:, 2]).all()


def test_categorical_feature_without_categories_is_missing_in_every_row() -> None:
    header = ModelHeader(("gold", "tier"), {"tier": ()}, "binary", 1, 1)
    rows = drawn_rows(header, np.array([[7.0], [8.0]]), ("gold",), np.random.default_rng(0))
    assert rows[:, 0].tolist() == [7.0, 8.0]
    assert np.isnan(rows[:, 1]).all()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{}", "date: Field required"),
        ("[]", "the file: Input should be"),
        ("nothing", "Invalid JSON"),
        (None, "cannot be read"),
        ('{"profile": 1}', "format 1 is not supported, only 2; measure the models again"),
    ],
)
def test_invalid_profile_is_reported_in_one_line(text: str | None, complaint: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "profile.json").write_text(text)
    with pytest.raises(Misconfigured, match=complaint):
        load(tmp_path / "profile.json")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("world"))


def profile(world: World, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadtest", "profile", "--catalog", str(world.catalog), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_profile_is_complete_and_can_be_loaded(world: World, tmp_path: Path) -> None:
    out = tmp_path / "profile.json"
    options = ["--model", "pandas", "--batches", "1,8", "--starts", "2", "--seconds", "0.1", "--json"]
    ended = profile(world, *options, "--out", str(out))
    assert ended.returncode == 0, ended.stderr
    model, *others = load(out).models.values()
    assert json.loads(ended.stdout) == json.loads(out.read_text())
    assert (model.name, [one.rows for one in model.batches]) == ("pandas", [1, 8])
    assert others, "the same model of other versions"
    assert {one.name for one in others} == {"pandas"}
    assert 0 < model.start_s.min <= model.start_s.median <= model.start_s.max
    assert min(model.pss_mb, model.start_cpu_s, model.capacity.rows_per_s, model.capacity.cores) > 0
    assert model.idle_cores >= 0
    assert [one.pause_ms for one in model.pauses] == sorted(one.pause_ms for one in model.pauses)
    assert model.pauses[-1].pause_ms > 20
    assert min(one.cpu_us for one in model.pauses) > 0


@pytest.fixture
def sharing(world: World) -> World:
    """The world with two versions that share one of their models."""
    values = yaml.safe_load(world.catalog.read_text())
    member, own = {"name": "pandas", "uri": "pandas.txt"}, {"name": "binary", "uri": "binary.txt"}
    versions = {
        "a": {"traffic": 50, "models": [{"member": "pandas"}, own]},
        "b": {"traffic": 50, "models": [{"member": "pandas"}]},
    }
    catalog = world.catalog.parent / "sharing.yaml"
    catalog.write_text(yaml.safe_dump({**values, "members": [member], "versions": versions}))
    return replace(world, catalog=catalog)


def test_member_is_profiled_once_and_the_simulator_finds_it(sharing: World, tmp_path: Path) -> None:
    out = tmp_path / "profile.json"
    options = ["--batches", "1,8", "--starts", "1", "--seconds", "0.05", "--out", str(out)]
    ended = profile(sharing, "--model", "pandas", "--model", "binary", *options)
    assert ended.returncode == 0, ended.stderr
    assert list(load(out).models) == ["testgame/shared/pandas", "testgame/a/binary"]
    load_of_ten_minutes = ["--load", "steady:rps=20,length=600"]
    command = [*MESH, "hpa", "simulate", str(sharing.catalog), "--profile", str(out), *load_of_ten_minutes]
    simulated = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert simulated.returncode == 0, simulated.stderr
    found = simulated_use(catalogs.load(sharing.catalog), load(out), 20.0, replicas=1, cores=2.0)
    assert list(found.workers) == ["testgame-shared-pandas", "testgame-a-binary"]


def test_version_of_a_profile_has_its_own_models_and_its_members(sharing: World) -> None:
    ended = profile(sharing, "--version", "b", "--model", "binary")
    assert ended.returncode == 2
    assert "testgame b has no model 'binary'" in ended.stderr.replace("\n", " ")
    assert ended.stderr.rstrip().endswith("It has pandas")


def use(rate_rps: float, cohort: float, supervisor: float) -> Use:
    cohorts_rps = rate_rps / cohort if rate_rps else 0.0
    return Use(1, rate_rps, {}, supervisor, rate_rps, cohorts_rps, 1.0, 0.0)


def test_costs_of_a_supervisor_are_fitted_to_its_cpu() -> None:
    def cores(messages_rps: float, requests_rps: float) -> float:
        return 0.01 + 0.0002 * messages_rps + 0.0003 * requests_rps

    uses = [use(0, 1, cores(0, 0))]
    uses += [use(rate, cohort, cores(15 * rate / cohort, rate)) for rate, cohort in ((40, 1.0), (150, 1.5), (400, 4.0))]
    found = costs_of(uses, models=15)
    assert (found.idle_cores, found.message_cpu_us, found.request_cpu_us) == pytest.approx((0.01, 200, 300))


def test_rates_at_which_the_mesh_is_overloaded_do_not_count() -> None:
    uses = [use(0, 1, 0.0), use(40, 1, 0.12), use(150, 2, 0.225), replace(use(400, 4, 9.0), full=0.5)]
    assert costs_of(uses, models=15).message_cpu_us == pytest.approx(200)
    with pytest.raises(CannotMeasure, match="fewer than two rates"):
        costs_of([*uses[:2], uses[3]], models=15)


def test_costs_of_a_supervisor_are_not_negative() -> None:
    found = costs_of([use(0, 1, 0.0), use(40, 1, 0.12), use(400, 4, 0.25)], models=15)
    assert found.request_cpu_us == 0
    assert found.message_cpu_us == pytest.approx(180, rel=0.1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--model", "pandsa"], "has no model 'pandsa'; did you mean 'pandas'?"),
        (["--model", "pandas", "--version", "9"], "has no version '9'"),
        ([], "set --model or --all"),
    ],
)
def test_invalid_input_is_one_line_and_exit_code_2(world: World, options: list[str], complaint: str) -> None:
    ended = profile(world, *options)
    assert ended.returncode == 2
    assert complaint in ended.stderr.replace("\n", " ")
    assert "Traceback" not in ended.stderr


def test_profile_keeps_the_models_of_other_versions_and_games(world: World, tmp_path: Path) -> None:
    out = tmp_path / "profile.json"
    options = ["--model", "pandas", "--batches", "1,8", "--starts", "1", "--seconds", "0.05", "--out", str(out)]
    assert profile(world, *options).returncode == 0
    first = load(out)
    one, *_ = first.models.values()
    other = one.model_copy(update={"game": "other"})
    out.write_text(merged(first, first.model_copy(update={"models": by_key([other])})).as_json(), encoding="utf-8")
    assert profile(world, *options).returncode == 0
    assert {(found.game, found.version) for found in load(out).models.values()} == {
        *((each.game, each.version) for each in first.models.values()),
        ("other", one.version),
    }


def test_profile_of_another_machine_is_not_mixed_with_this_one(world: World, tmp_path: Path) -> None:
    out = tmp_path / "profile.json"
    content = {"profile": FORMAT, "date": "2026-01-01", "machine": "a mainframe", "versions": {}, "models": {}}
    out.write_text(json.dumps(content), encoding="utf-8")
    ended = profile(world, "--model", "pandas", "--out", str(out))
    assert ended.returncode == 2
    assert "has figures of another machine (a mainframe; now" in ended.stderr.replace("\n", " ")
    assert json.loads(out.read_text(encoding="utf-8")) == content


def test_file_that_is_not_a_profile_is_not_overwritten(world: World, tmp_path: Path) -> None:
    out = tmp_path / "profile.json"
    out.write_text("notes\n", encoding="utf-8")
    ended = profile(world, "--model", "pandas", "--out", str(out))
    assert ended.returncode == 2
    assert ended.stderr.replace("\n", " ").rstrip().endswith("; give another --out, or remove the file")
    assert out.read_text(encoding="utf-8") == "notes\n"
