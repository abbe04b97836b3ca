"""References: the bins of the training, the file, and what a damaged file is refused for."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mesh.cli.main import main
from mesh.drift.bins import edges_of, frequent, padded, places_of_numbers
from mesh.drift.reference import BadReference, decode, encode
from mesh.sha256 import sha256_of
from tests.forests import TrainedForest, pandas_frame, train

ROWS = 4_000


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> TrainedForest:
    return train("pandas", tmp_path_factory.mktemp("forest"))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    frame = pandas_frame(np.random.default_rng(3), ROWS)
    frame.loc[:99, "platform"] = None
    return frame


@pytest.fixture
def rows(frame: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    return path


def catalog_of(folder: Path, forest: TrainedForest, **version: object) -> Path:
    models = [{"name": name, "uri": str(forest.path)} for name in ("first", "second")]
    catalog = {
        "game": "testgame",
        "features": {"store": "sqlite", "path": "players.sqlite"},
        "versions": {"v1": {**version, "models": models}},
    }
    path = folder / "mesh.yaml"
    path.write_text(json.dumps(catalog))
    return path


def test_bins_have_a_tenth_of_the_training_each() -> None:
    values = np.random.default_rng(1).normal(size=10_000)
    places = places_of_numbers(values[:, None], padded([edges_of(values)]))[:, 0]
    assert np.bincount(places).tolist() == [1000] * 10


@pytest.mark.parametrize(
    ("values", "inner"),
    [([1.0] * 5 + [np.inf] * 5, 2), ([-np.inf] * 5 + [1.0] * 5, 1), ([np.inf] * 3, 0), ([np.finfo(float).max] * 3, 2)],
)
def test_infinite_values_of_the_training_have_a_bin_but_no_edge(values: list[float], inner: int) -> None:
    edges = edges_of(np.array(values))
    assert np.isfinite(edges).all()
    assert len(edges) == inner
    assert places_of_numbers(np.array([[np.inf]]), padded([edges])).item() == inner


def test_frequent_value_has_its_own_bin_and_smaller_values_another() -> None:
    values = np.array([0.0] * 700 + list(range(1, 301)))
    edges = padded([edges_of(values)])
    places = places_of_numbers(np.array([[-1.0], [0.0], [1e-9], [1.0], [1e9]]), edges)[:, 0].tolist()
    assert places[0] == 0
    assert places[1] == 1
    assert places[2] == places[3] == 2
    assert places[4] == edges.shape[1]


def test_float32_of_the_training_and_float64_of_a_request_are_in_the_same_bin() -> None:
    values = np.random.default_rng(2).choice([0.1, 0.7, 1.3], 1000)
    edges = padded([edges_of(values.astype(np.float32).astype(np.float64))])
    found = places_of_numbers(np.array([[0.1], [0.7], [1.3]]), edges)[:, 0]
    again = places_of_numbers(np.array([[0.1], [0.7], [1.3]], np.float32).astype(np.float64), edges)[:, 0]
    assert found.tolist() == again.tolist()
    assert len(set(found.tolist())) == 3


def test_rare_categories_have_no_bin_of_their_own() -> None:
    assert frequent({"ios": 900, "android": 97, "abacus": 3}) == ("ios", "android")
    assert len(frequent({f"country-{number}": 10 for number in range(80)})) == 50


def test_reference_has_the_distributions_of_features_and_scores(
    forest: TrainedForest, frame: pd.DataFrame, rows: Path, tmp_path: Path
) -> None:
    target = tmp_path / "reference.json"
    words = ["reference", str(rows), "--catalog", str(catalog_of(tmp_path, forest)), "--version", "v1"]
    assert main(["drift", *words, "--to", str(target), "--exclude", "f5"]) == 0
    reference = decode(target.read_bytes())
    assert encode(reference) == target.read_bytes()
    assert reference.rows == ROWS
    assert set(reference.features) == {"f0", "platform", "f2", "f3", "tier"}
    assert reference.features["f0"].missing == frame["f0"].isna().sum() > 0
    assert reference.features["f0"].rows == ROWS
    platform = reference.features["platform"]
    counted = frame["platform"].value_counts().to_dict()
    assert dict(zip(platform.categories or (), platform.counts, strict=False)) == counted
    assert (platform.missing, platform.unseen) == (100, 0)
    scores = np.asarray(forest.booster.predict(frame))
    assert reference.scores["first"].mean == pytest.approx(scores.mean())
    assert reference.scores["first"].deviation == pytest.approx(scores.std())
    assert reference.models["second"] == sha256_of(forest.path)
    assert reference.disagreement is not None
    assert reference.disagreement.mean == 0.0  # both models have the same file


def test_published_reference_is_beside_the_models(
    forest: TrainedForest, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (models := tmp_path / "v1").mkdir()
    (models / "pandas.txt").write_bytes(forest.path.read_bytes())
    assert main(["publish", str(models), "--reference", str(rows)]) == 0
    assert f"reference: {models}/reference.json\nmodels:\n" in capsys.readouterr().out
    assert decode((models / "reference.json").read_bytes()).models == {"pandas": sha256_of(forest.path)}
    (models / "pandas.txt").write_bytes(forest.path.read_bytes() + b"\n")
    assert main(["publish", str(models), "--golden", str(rows), "--quick"]) == 2


def test_more_rows_than_the_limit_are_sampled(
    forest: TrainedForest, frame: pd.DataFrame, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesh.cli.drift.training_table.MAX_ROWS", 1_000)
    target = tmp_path / "reference.json"
    words = ["reference", str(rows), "--catalog", str(catalog_of(tmp_path, forest)), "--version", "v1"]
    assert main(["drift", *words, "--to", str(target)]) == 0
    reference = decode(target.read_bytes())
    assert reference.rows == 1_000
    assert reference.features["f0"].missing == pytest.approx(frame["f0"].isna().sum() / 4, rel=0.3)


@pytest.mark.parametrize(
    ("column", "change", "message"),
    [
        ("f0", None, "has no column 'f0', which the models need"),
        ("f0", "text", "'f0' has texts, but no categories in the models"),
    ],
)
def test_wrong_rows_are_refused_with_the_column(
    forest: TrainedForest,
    frame: pd.DataFrame,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    column: str,
    change: str | None,
    message: str,
) -> None:
    wrong = frame.drop(columns=column) if change is None else frame.assign(**{column: change})
    wrong.to_parquet(tmp_path / "wrong.parquet")
    words = ["reference", str(tmp_path / "wrong.parquet"), "--catalog", str(catalog_of(tmp_path, forest))]
    assert main(["drift", *words, "--version", "v1", "--to", str(tmp_path / "reference.json")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "reference.json").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree.update(reference=2), "has the format 2"),
        (lambda tree: tree["features"]["a"].update(counts=[1, 2, 3]), "3 counts of 2 bins"),
        (lambda tree: tree["features"]["a"].update(counts=[1, -2]), "the count -2"),
        (lambda tree: tree["features"]["a"].update(edges=["x"]), "could not convert"),
        (lambda tree: tree.pop("scores"), "is damaged ('scores')"),
        (lambda tree: tree.update(rows=math.inf), "the count inf"),
        (lambda tree: tree["features"]["a"].update(counts=[1, 10**30]), "the count 1000"),
        (lambda tree: tree["features"]["a"].update(edges=[10**400]), "is damaged (int too large"),
        (lambda tree: tree["features"]["a"].update(edges=[math.nan]), "the number nan"),
        (lambda tree: tree["features"].clear(), "has neither features nor scores"),
    ],
)
def test_damaged_reference_is_refused(change: object, message: str) -> None:
    tree = {
        "reference": 1,
        "rows": 3,
        "features": {"a": {"edges": [0.5], "counts": [1, 2], "missing": 0}},
        "scores": {},
        "disagreement": None,
    }
    decode(json.dumps(tree).encode())
    assert callable(change)
    change(tree)
    with pytest.raises(BadReference) as refused:
        decode(json.dumps(tree).encode())
    assert message in str(refused.value)


def test_deeply_nested_file_is_refused() -> None:
    with pytest.raises(BadReference, match="is damaged"):
        decode(b"[" * 200_000)


def test_catalog_check_names_a_wrong_reference(
    forest: TrainedForest, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = catalog_of(tmp_path, forest, reference="reference.json")

    def fault() -> str:
        main(["catalog", "check", str(catalog)])
        printed = capsys.readouterr()
        lines = [line for line in (printed.out + printed.err).splitlines() if "versions.v1.reference" in line]
        return lines[0] if lines else ""

    assert "No such file or directory; make it with `mesh drift reference`" in fault()
    words = ["drift", "reference", str(rows), "--catalog", str(catalog), "--version", "v1"]
    assert main([*words, "--to", str(tmp_path / "reference.json")]) == 0
    assert fault() == ""
    text = (tmp_path / "reference.json").read_text()
    (tmp_path / "reference.json").write_text(text.replace(sha256_of(forest.path), "0" * 64))
    assert "was made with another file of the model first; make it again" in fault()
    catalog_of(tmp_path, forest, reference="ftp://models/reference.json")
    assert "has an unknown scheme" in fault()


def test_reading_a_reference_imports_no_package_for_tables() -> None:
    code = (
        "import sys, mesh.drift.findings, mesh.drift.reference; print('pyarrow' in sys.modules, 'scipy' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.split() == ["False", "False"]
