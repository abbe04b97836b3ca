"""Paths in a catalog: with `--files` they stay below it; a local user may name any file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from mesh.catalog import catalog
from mesh.catalog.worker_inputs import read_inputs
from mesh.cli.main import main
from mesh.errors import Misconfigured
from mesh.roots import Roots
from mesh.settings import WrongSettingsError
from supervisor.settings import read_settings
from supervisor.start_catalogs import load_catalogs

PLACES = {
    "features.path": "features: {{path: {}}}",
    "offers.path": "offers: {{path: {}, fallback: a}}",
    "decisions.to": "decisions: {{to: {}}}",
    "versions.v.reference": "versions: {{v: {{reference: {}, models: [{{name: m, uri: m.txt}}]}}}}",
    "versions.v.models[0].uri": "versions: {{v: {{models: [{{name: m, uri: {}}}]}}}}",
    "versions.v.models[0].golden": "versions: {{v: {{models: [{{name: m, uri: m.txt, golden: {}}}]}}}}",
    "members[0].uri": "members: [{{name: m, uri: {}}}]",
}
OF_WORKERS = {place for place in PLACES if place.endswith((".uri", ".golden"))}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder of --files, with a link that leaves it and one that does not; a secret beside it."""
    root = tmp_path / "srv"
    (root / "data").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (root / "leaves").symlink_to(tmp_path)
    (root / "loop").symlink_to(root / "loop")
    (root / "stays").symlink_to(root / "data")
    return root


def faults(roots: Roots | None, place: str, path: str, file: Path) -> list[str]:
    found = catalog.read(file, roots, f"{PLACES[place].format(json.dumps(path))}\n").faults
    return [str(fault) for fault in found if f"{place}: " in str(fault) and "; move the file there" in str(fault)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "data/../../secret.txt", "leaves/secret.txt", "stays/../../secret.txt", "loop/x", "a\0b"],
)
def test_relative_path_that_leaves_the_folder_is_refused(root: Path, place: str, path: str) -> None:
    (fault,) = faults(Roots(root, confined=True), place, path, root / "mesh.yaml")
    assert f"leaves {root}; move the file there, or name its folder with --volume" in fault


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("path", ["data/x", "./data/../x", "stays/x", "new/x", "..data/x"])
def test_relative_path_that_stays_is_accepted(root: Path, place: str, path: str) -> None:
    assert not faults(Roots(root, confined=True), place, path, root / "mesh.yaml")


@pytest.mark.parametrize("place", PLACES)
def test_absolute_path_is_for_volumes_and_for_the_image_of_the_workers(root: Path, place: str) -> None:
    outside, volume = str(root.parent / "secret.txt"), root.parent / "log"
    assert bool(faults(Roots(root, confined=True), place, outside, root / "mesh.yaml")) is (place not in OF_WORKERS)
    assert bool(faults(Roots(root, confined=True), place, f"file://{outside}", root / "mesh.yaml")) is (
        place not in OF_WORKERS
    )
    assert not faults(Roots(root, confined=True, others=(volume,)), place, str(volume / "x"), root / "mesh.yaml")
    assert not faults(Roots(root, confined=True), place, str(root / "data"), root / "mesh.yaml")


@pytest.mark.parametrize("place", PLACES)
def test_local_user_may_name_any_file(root: Path, place: str) -> None:
    for path in ("../secret.txt", "leaves/secret.txt", str(root.parent / "secret.txt")):
        assert not faults(None, place, path, root / "mesh.yaml")


def test_supervisor_with_files_refuses_a_catalog_that_leaves_them(root: Path) -> None:
    file = root.parent / "mesh.yaml"
    file.write_text("game: x\nfeatures: {path: ../players.sqlite}\nversions: {v: {models: [{name: m, uri: m.txt}]}}\n")
    settings = read_settings(["--catalog", str(file), "--files", str(root), "--volume", "/var/lib/decisions"])
    assert settings.roots == Roots(root, confined=True, others=(Path("/var/lib/decisions"),))
    with pytest.raises(Misconfigured, match=r"features\.path: '\.\./players\.sqlite' leaves .*srv or /var/lib"):
        load_catalogs([file], settings.roots)


def test_check_with_files_refuses_the_same_catalog(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = root.parent / "mesh.yaml"
    file.write_text("game: x\nfeatures: {path: leaves/p.sqlite}\nversions: {v: {models: [{name: m, uri: m.txt}]}}\n")
    assert main(["catalog", "check", "--quick", "--files", str(root), str(file)]) == 2
    assert f"features.path: 'leaves/p.sqlite' leaves {root};" in capsys.readouterr().err


@pytest.mark.parametrize(
    "inputs",
    [
        {"features": {"path": "../p.sqlite"}},
        {"features": {"path": "p.sqlite"}, "offers": {"path": "leaves/secret.txt"}},
    ],
)
def test_worker_reads_no_inputs_outside_of_their_folder(root: Path, inputs: Mapping[str, object]) -> None:
    (root / "inputs.json").write_text(json.dumps({"folder": str(root), **inputs}))
    with pytest.raises(Misconfigured, match="move the file there"):
        read_inputs(root / "inputs.json")


def test_volume_needs_files_and_an_absolute_path() -> None:
    with pytest.raises(WrongSettingsError) as caught:
        read_settings(["--catalog", "a.yaml", "--volume", "relative"])
    assert caught.value.faults == [
        "--volume: is given without --files, so that paths have no limit; give --files too",
        "--volume: must be absolute, not 'relative'",
    ]
