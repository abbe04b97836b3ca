"""`mesh catalog check` finds golden rows with which no worker would serve the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from mesh.catalog import catalog as catalogs
from mesh.catalog.golden_files import golden_faults
from mesh.cli.main import main
from mesh.golden import Golden, GoldenRow, encode
from tests.forests import TrainedForest, train
from tests.golden_rows import golden_of


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> TrainedForest:
    return train("pandas", tmp_path_factory.mktemp("forests"))


@pytest.fixture
def catalog(forest: TrainedForest, tmp_path: Path) -> Callable[..., Path]:
    """Writes a catalog with one model and its golden rows; the entry may be changed."""
    (tmp_path / "m.golden.jsonl").write_bytes(encode(golden_of(forest)))

    def write(**entry: str) -> Path:
        model = {"name": "m", "uri": str(forest.path), "golden": "m.golden.jsonl", **entry}
        document = {"game": "g", "features": {"path": "p.sqlite"}, "versions": {"v1": {"models": [model]}}}
        (path := tmp_path / "mesh.yaml").write_text(yaml.safe_dump(document))
        return path

    return write


def faults(path: Path) -> list[str]:
    found = golden_faults(catalogs.read(path))
    return [f"{'.'.join(map(str, fault.at))}: {fault.problem}; {fault.fix}" for fault in found]


def test_golden_rows_of_the_model_file_have_no_fault(catalog: Callable[..., Path], tmp_path: Path) -> None:
    digest = hashlib.sha256((tmp_path / "m.golden.jsonl").read_bytes()).hexdigest()
    assert faults(catalog(golden_sha256=digest)) == []
    assert faults(catalog(golden="s3://m/m.golden.jsonl")) == []


def test_missing_damaged_and_changed_files_are_faults(catalog: Callable[..., Path], tmp_path: Path) -> None:
    (fault,) = faults(catalog(golden="other.jsonl"))
    assert fault.startswith("versions.v1.models.0.golden: ")
    assert fault.endswith("other.jsonl: No such file or directory; publish the golden rows, or correct the path")
    assert not list(golden_faults(catalogs.read(catalog(golden="other.jsonl")), models_may_be_missing=True))
    (fault,) = faults(catalog(golden_sha256="0" * 64))
    assert fault.startswith("versions.v1.models.0.golden_sha256: differs from the SHA-256 of the file, ")
    file = tmp_path / "m.golden.jsonl"
    file.write_bytes(file.read_bytes()[:-10])
    (fault,) = faults(catalog())
    assert "m.golden.jsonl: the SHA-256 in its last line is not that of its content" in fault


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda golden: replace(golden, model_sha256="ab" * 32), "the rows belong to the model file abab"),
        (
            lambda golden: replace(golden, features=("x", *golden.features[1:])),
            "the rows have 6 features and 1 classes",
        ),
        (
            lambda golden: replace(golden, rows=(GoldenRow(("ios", *golden.rows[0].values[1:]), (0.5,)),)),
            "row 1 has the text 'ios' for 'f0', which has no categories in the model",
        ),
    ],
)
def test_rows_that_do_not_fit_the_model_are_faults(
    change: Callable[[Golden], Golden],
    problem: str,
    catalog: Callable[..., Path],
    forest: TrainedForest,
    tmp_path: Path,
) -> None:
    (tmp_path / "m.golden.jsonl").write_bytes(encode(change(golden_of(forest))))
    (fault,) = faults(catalog())
    assert problem in fault


def test_command_reports_the_line_of_the_fault(
    catalog: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = catalog(golden="ftp://host/m.golden.jsonl")
    assert main(["catalog", "check", str(path), "--quick", "--json"]) == 2
    (report,) = json.loads(capsys.readouterr().out)
    (fault,) = [fault for fault in report["faults"] if "golden" in fault["text"]]
    line = path.read_text().splitlines()[fault["line"] - 1]
    assert "golden: ftp://" in line
    assert fault["problem"] == "ftp://host/m.golden.jsonl has an unknown scheme"


def test_digest_without_golden_rows_is_a_fault(forest: TrainedForest, tmp_path: Path) -> None:
    model = {"name": "m", "uri": str(forest.path), "golden_sha256": "0" * 64}
    document = {"game": "g", "features": {"path": "p.sqlite"}, "versions": {"v1": {"models": [model]}}}
    (path := tmp_path / "mesh.yaml").write_text(yaml.safe_dump(document))
    (fault,) = faults(path)
    assert fault.endswith("golden_sha256: is set without `golden`; add `golden`, or remove it")
