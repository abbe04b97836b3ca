"""`mesh publish --golden`: golden rows beside the models, made of rows with scores or of players of the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mesh.cli.main import main
from mesh.golden import Golden, decode
from mesh.players.features import Columns, PlayerFeatures
from mesh.players.sqlite import replacing_store, write_players
from mesh.sha256 import sha256_of
from tests.emulators import s3
from tests.forests import FEATURES, TrainedForest, pandas_frame, train

KINDS = ("binary", "multiclass", "pandas")

Publish = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def forests(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, TrainedForest]:
    folder = tmp_path_factory.mktemp("forests")
    return {kind: train(kind, folder) for kind in KINDS}


@pytest.fixture
def publish(capsys: pytest.CaptureFixture[str]) -> Publish:
    def run(*words: object) -> tuple[int, str, str]:
        code = main(["publish", *map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def folder_of(folder: Path, forests: Sequence[TrainedForest]) -> Path:
    (models := folder / "v1").mkdir()
    for forest in forests:
        shutil.copy(forest.path, models)
    return models


def numeric_frame(rows: int = 20) -> pd.DataFrame:
    numbers = np.random.default_rng(5).normal(size=(rows, FEATURES))
    numbers[3, 2] = np.nan
    return pd.DataFrame(numbers, columns=[f"Column_{column}" for column in range(FEATURES)])


def saved(frame: pd.DataFrame, path: Path, **scores: Any) -> Path:
    frame.assign(**scores).to_parquet(path)
    return path


def golden_in(models: Path, name: str) -> Golden:
    return decode((models / f"{name}.golden.jsonl").read_bytes())


def test_rows_with_scores_are_written_beside_the_model(
    publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    forest, frame = forests["pandas"], pandas_frame(np.random.default_rng(3), 20)
    frame.loc[4, "platform"] = None
    models = folder_of(tmp_path, [forest])
    scores = np.asarray(forest.booster.predict(frame))
    code, out, err = publish(models, "--golden", saved(frame, tmp_path / "rows.parquet", score=scores))

    assert code == 0, err
    path = models / "pandas.golden.jsonl"
    assert err == f"{path}: 20 golden rows\n"
    assert yaml.safe_load(out)["models"] == [
        {
            "name": "pandas",
            "uri": f"{models}/pandas.txt",
            "sha256": sha256_of(forest.path),
            "golden": str(path),
            "golden_sha256": sha256_of(path),
        }
    ]
    golden = golden_in(models, "pandas")
    assert golden.categories == ("platform", "tier")
    assert golden.rows[4].values[1] is None
    assert golden.rows[5].values[1] == frame["platform"][5]
    assert golden.rows[5].values[4] == frame["tier"][5]
    assert [score for row in golden.rows for score in row.scores] == scores.tolist()
    assert (golden.scored_by, golden.tolerance) == ("the training", 0.0)


def test_models_of_a_folder_share_a_file_with_a_column_of_scores_each(
    publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    binary, multiclass, frame = forests["binary"], forests["multiclass"], numeric_frame()
    models = folder_of(tmp_path, [binary, multiclass])
    scores: dict[str, Any] = {
        "score.binary": binary.scores(frame.to_numpy()),
        "score.multiclass": list(multiclass.scores(frame.to_numpy())),
    }
    code, _, err = publish(models, "--golden", saved(frame, tmp_path / "rows.parquet", **scores))

    assert code == 0, err
    assert golden_in(models, "binary").rows[3].values[2] is None
    assert golden_in(models, "multiclass").rows[7].scores == tuple(scores["score.multiclass"][7].tolist())


def test_each_model_may_have_its_own_file_in_a_folder(
    publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    models = folder_of(tmp_path, [forests["binary"], forests["multiclass"]])
    (rows := tmp_path / "rows").mkdir()
    frame = numeric_frame()
    for kind, to_column in (("binary", np.asarray), ("multiclass", list)):
        saved(frame, rows / f"{kind}.parquet", score=to_column(forests[kind].scores(frame.to_numpy())))
    assert publish(models, "--golden", rows)[0] == 0
    assert len(golden_in(models, "binary").rows) == len(golden_in(models, "multiclass").rows) == 20


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda frame, scores: frame.assign(score=scores + 0.5), "row 1 for binary.txt: LightGBM 4"),
        (lambda frame, scores: frame.assign(score=scores + 1e-9), "give --golden-tolerance 1e-06 if"),
        (lambda frame, scores: frame.assign(score=np.log(scores / (1 - scores))), "check that the scores are of this"),
        (lambda frame, scores: frame.assign(points=scores), "has no column 'score.binary' or 'score' with the scores"),
        (lambda frame, scores: frame.drop(columns="Column_2").assign(score=scores), "has no column 'Column_2', which"),
        (lambda frame, scores: frame.assign(score=[[one] * 2 for one in scores]), "row 1 of column 'score' is not a"),
        (lambda frame, scores: frame[:0].assign(score=scores[:0]), "has 0 rows; keep 1 to 1,000 of them"),
    ],
)
def test_wrong_rows_are_reported_and_nothing_is_written(
    change: Callable[[pd.DataFrame, Any], pd.DataFrame],
    fault: str,
    publish: Publish,
    forests: Mapping[str, TrainedForest],
    tmp_path: Path,
) -> None:
    models, frame = folder_of(tmp_path, [forests["binary"]]), numeric_frame()
    file = saved(change(frame, forests["binary"].scores(frame.to_numpy())), tmp_path / "rows.parquet")
    code, out, err = publish(models, "--golden", file)
    assert (code, out) == (2, "")
    assert fault in err
    assert not list(models.glob("*.golden.jsonl"))


def test_raw_scores_are_recognized(publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path) -> None:
    forest, frame = forests["binary"], numeric_frame()
    scores = forest.booster.predict(frame.to_numpy(), raw_score=True)
    file = saved(frame, tmp_path / "rows.parquet", score=scores)
    code, _, err = publish(folder_of(tmp_path, [forest]), "--golden", file)
    assert code == 2
    assert "the column has raw scores: save the scores of Booster.predict without raw_score" in err


def test_tolerance_is_written_into_the_file(
    publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    models, frame = folder_of(tmp_path, [forests["binary"]]), numeric_frame()
    file = saved(frame, tmp_path / "rows.parquet", score=forests["binary"].scores(frame.to_numpy()) + 1e-9)
    assert publish(models, "--golden", file, "--golden-tolerance", "1e-6")[0] == 0
    assert golden_in(models, "binary").tolerance == 1e-6


def game(folder: Path) -> Path:
    """A game whose store, offers and context feed the model `pandas`."""
    with replacing_store(folder / "players.sqlite", Columns(("f0", "f2", "f3"), ("platform",))) as store:
        rows = np.random.default_rng(9).normal(size=(40, 3))
        texts = [("ios",), ("wéb",), (None,), ("abacus",)] * 10
        players = [PlayerFeatures(row.tobytes(), text, 1.0) for row, text in zip(rows, texts, strict=True)]
        write_players(store, [(f"p{number}", player) for number, player in enumerate(players)])
    (folder / "offers.csv").write_text("offer_id,price,tier\nsmall,1,10\nlarge,5,40\n")
    catalog = {
        "game": "chess",
        "features": {"store": "sqlite", "path": "players.sqlite"},
        "context": {"f5": "number"},
        "offers": {"path": "offers.csv", "fallback": "small"},
        "versions": {"v1": {"models": [{"name": "pandas", "uri": "v1/pandas.txt"}]}},
    }
    (path := folder / "mesh.yaml").write_text(yaml.safe_dump(catalog))
    return path


def test_players_of_the_store_are_scored_by_lightgbm(
    publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    forest = forests["pandas"]
    models = folder_of(tmp_path, [forest])
    code, _, err = publish(models, "--golden-players", 8, "--catalog", game(tmp_path))
    assert code == 0, err
    golden = golden_in(models, "pandas")
    assert len(golden.rows) == 8
    assert golden.scored_by.startswith("LightGBM 4.")
    columns = dict(zip(golden.features, zip(*[row.values for row in golden.rows], strict=True), strict=True))
    assert set(columns["tier"]) == {10.0, 40.0}
    assert set(columns["platform"]) >= {"ios", None}
    assert all(isinstance(value, float) for value in columns["f5"])
    known: dict[str, list[Any]] = {"platform": ["android", "ios", "steam deck", "wéb"], "tier": [10, 20, 30, 40, 50]}
    frame = pd.DataFrame(columns)
    for name, categories in known.items():
        values = [value if value in categories else None for value in columns[name]]
        frame[name] = pd.Categorical(values, categories=categories)
    assert [score for row in golden.rows for score in row.scores] == list(forest.booster.predict(frame))


def test_printed_paths_start_at_the_folder_of_the_catalog(
    publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = folder_of(tmp_path, [forests["pandas"]])
    catalog = game(tmp_path)
    (elsewhere := tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)

    def printed(folder: object, *options: object) -> tuple[str, str]:
        code, out, err = publish(folder, "--golden-players", 8, "--catalog", *options)
        assert code == 0, err
        (entry,) = yaml.safe_load(out)["models"]
        return entry["uri"], entry["golden"]

    in_catalog = ("v1/pandas.txt", "v1/pandas.golden.jsonl")
    assert printed("../../v1", f"../../{catalog.name}") == in_catalog
    assert printed("../../v1", catalog) == in_catalog
    assert printed(models, catalog) == (str(models / "pandas.txt"), str(models / "pandas.golden.jsonl"))


def test_golden_rows_are_uploaded_with_their_models(
    publish: Publish,
    forests: Mapping[str, TrainedForest],
    tmp_path: Path,
    s3_store: s3.S3,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3.use(monkeypatch, s3_store.endpoint)
    s3_store.make_bucket("golden")
    forest, frame = forests["binary"], numeric_frame()
    models = folder_of(tmp_path, [forest])
    file = saved(frame, tmp_path / "rows.parquet", score=forest.scores(frame.to_numpy()))
    code, out, err = publish(models, "--golden", file, "--to", "s3://golden/v1", "--json")
    assert code == 0, err
    (entry,) = json.loads(out)["models"]
    assert entry["golden"] == "s3://golden/v1/binary.golden.jsonl"
    assert entry["golden_rows"] == 20
    content = s3_store.get("golden", "v1/binary.golden.jsonl")
    assert content == (models / "binary.golden.jsonl").read_bytes()

    code, out, err = publish(models, "--to", "s3://golden/v1")  # the files beside the models are published again
    assert [line.split()[0] for line in err.splitlines()] == ["unchanged", "unchanged"]
    assert yaml.safe_load(out)["models"][0]["golden_sha256"] == entry["golden_sha256"]


def test_golden_rows_of_an_older_model_file_are_refused(
    publish: Publish, forests: Mapping[str, TrainedForest], tmp_path: Path
) -> None:
    models, frame = folder_of(tmp_path, [forests["binary"]]), numeric_frame()
    file = saved(frame, tmp_path / "rows.parquet", score=forests["binary"].scores(frame.to_numpy()))
    assert publish(models, "--golden", file)[0] == 0
    (models / "binary.txt").write_bytes(forests["multiclass"].path.read_bytes())
    code, _, err = publish(models, "--to", "s3://golden/v2")
    assert code == 2
    assert f"{models}/binary.golden.jsonl: the rows belong to the model file" in err
    assert err.endswith("publish the golden rows of this model file, or remove the file\n")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ([], "give --to s3://BUCKET/PREFIX"),
        (["--golden", "a.parquet", "--quick"], "--quick does not prove the models"),
        (["--golden", "a.parquet", "--golden-players", "3"], "two sources of golden rows"),
        (["--golden-players", "3"], "name the game's catalog with --catalog FILE"),
    ],
)
def test_options_that_contradict_each_other_are_reported(
    options: Sequence[str], fault: str, publish: Publish, tmp_path: Path
) -> None:
    code, _, err = publish(tmp_path, *options)
    assert code == 2
    assert fault in err
