"""Checks of the files of a catalog: models, offers, the player store, and their fit. The models are real."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mesh.catalog import catalog
from mesh.catalog import files as catalog_files
from mesh.players.features import Columns
from mesh.players.sqlite import replacing_store
from tests.forests import FEATURES, TrainedForest, train

NUMBERS = tuple(f"Column_{column}" for column in range(FEATURES))


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> TrainedForest:
    return train("binary", tmp_path_factory.mktemp("forests"))


@pytest.fixture(scope="module")
def multiclass(tmp_path_factory: pytest.TempPathFactory) -> TrainedForest:
    return train("multiclass", tmp_path_factory.mktemp("forests"))


@pytest.fixture(scope="module")
def pandas_model(tmp_path_factory: pytest.TempPathFactory) -> TrainedForest:
    return train("pandas", tmp_path_factory.mktemp("forests"))


class Game:
    """The files of a game. They are valid until a test changes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = ""
        self.more = ""
        self.store(Columns(NUMBERS, ()))
        self.offers("offer_id,price\nstarter,1\ngold,9\n")
        self.rank_by = "expected_revenue"
        self.fallback = "starter"
        self.table = ""

    def store(self, columns: Columns) -> None:
        with replacing_store(self.folder / "players.sqlite", columns):
            pass

    def offers(self, text: str) -> None:
        (self.folder / "offers.csv").write_text(text)

    def faults(self, uri: Path | str, *, models_elsewhere: bool = False) -> list[str]:
        """Returns `PATH: PROBLEM; FIX` of each fault in the files."""
        file = self.folder / "mesh.yaml"
        file.write_text(
            f"game: g\nfeatures: {{path: players.sqlite}}\n{self.more}\n"
            f"offers: {{path: offers.csv, fallback: {self.fallback}, rank_by: {self.rank_by}{self.table}}}\n"
            f"versions: {{v: {{models: [{{name: m, uri: '{uri}'{self.model}}}]}}}}\n"
        )
        draft = catalog.read(file)
        assert draft.faults == ()
        found = catalog_files.faults(draft, models_elsewhere=models_elsewhere)
        return [str(fault).split(": ", 1)[1] for fault in found]


@pytest.fixture
def game(tmp_path: Path) -> Game:
    return Game(tmp_path)


MODEL = "versions.v.models[0]"


def test_valid_game_has_no_faults(game: Game, binary: TrainedForest) -> None:
    game.model = f", sha256: {hashlib.sha256(binary.path.read_bytes()).hexdigest()}"
    assert game.faults(binary.path) == []


def test_missing_model_is_a_fault(game: Game) -> None:
    (fault,) = game.faults(game.folder / "ghost.txt")
    assert fault.startswith(f"{MODEL}.uri: {game.folder / 'ghost.txt'} is missing; ")


def test_model_file_is_not_read_if_models_are_elsewhere(game: Game) -> None:
    (game.folder / "damaged.txt").write_text("tree\n")
    assert game.faults(game.folder / "ghost.txt", models_elsewhere=True) == []
    assert game.faults(game.folder / "damaged.txt", models_elsewhere=True) == []
    assert game.faults("gs://bucket/whales.txt", models_elsewhere=True) != []


def test_model_on_s3_is_not_read(game: Game) -> None:
    assert game.faults("s3://bucket/whales.txt") == []


def test_address_without_a_key_is_a_fault(game: Game) -> None:
    assert game.faults("s3://bucket") == [
        f"{MODEL}.uri: s3://bucket is not the address of an object; write s3://BUCKET/KEY"
    ]


def test_unknown_scheme_is_a_fault(game: Game) -> None:
    (fault,) = game.faults("gs://bucket/whales.txt")
    assert fault == f"{MODEL}.uri: gs://bucket/whales.txt has an unknown scheme; give a path or s3://BUCKET/KEY"


@pytest.mark.parametrize("scheme", ["file:", "file://"])
def test_file_uri_is_a_path(scheme: str, game: Game, binary: TrainedForest) -> None:
    assert game.faults(f"{scheme}{binary.path}") == []
    assert game.faults(f"{scheme}ghost.txt") == game.faults("ghost.txt") != []


def test_folder_is_not_a_model(game: Game) -> None:
    assert game.faults(game.folder) == [f"{MODEL}.uri: {game.folder} is a folder; name the model's file"]


def test_address_with_one_slash_is_reported_with_the_right_address(game: Game) -> None:
    assert game.faults("s3:/bucket/a/x.txt") == [
        f"{MODEL}.uri: s3:/bucket/a/x.txt is not the address of an object; did you mean s3://bucket/a/x.txt?"
    ]


def test_different_sha256_is_reported_with_that_of_the_file(game: Game, binary: TrainedForest) -> None:
    game.model = ", sha256: " + "0f" * 32
    (fault,) = game.faults(binary.path)
    assert fault.startswith(f"{MODEL}.sha256: differs from the SHA-256 of the file, ")
    assert hashlib.sha256(binary.path.read_bytes()).hexdigest() in fault


def test_file_that_is_not_a_model_is_a_fault(game: Game) -> None:
    (game.folder / "m.txt").write_text("hello")
    (fault,) = game.faults(game.folder / "m.txt")
    assert fault.startswith(f"{MODEL}.uri: ")


def test_multiclass_model_needs_a_class(game: Game, multiclass: TrainedForest) -> None:
    assert game.faults(multiclass.path)[0].startswith(f"{MODEL}.class: is missing, but the model has 3 classes; ")
    game.model = ", class: 3"
    assert game.faults(multiclass.path)[0].startswith(f"{MODEL}.class: is 3, but the model has 3 classes; ")
    game.model = ", class: 2"
    assert game.faults(multiclass.path) == []


def test_class_of_a_model_with_one_output_is_a_fault(game: Game, binary: TrainedForest) -> None:
    game.model = ", class: 0"
    assert game.faults(binary.path) == [f"{MODEL}.class: is set, but the model has one output; remove it"]


def test_every_feature_without_a_source_is_a_fault(game: Game, binary: TrainedForest) -> None:
    game.store(Columns(NUMBERS[2:], ()))
    assert [fault.split(" has")[0] for fault in game.faults(binary.path)] == [
        f"{MODEL}.uri: feature 'Column_0'",
        f"{MODEL}.uri: feature 'Column_1'",
    ]


def test_context_and_offers_are_sources_of_features(game: Game, binary: TrainedForest) -> None:
    game.store(Columns(NUMBERS[2:], ()))
    game.more = "context: {Column_0: number}"
    game.offers("offer_id,price,Column_1\nstarter,1,5\n")
    assert game.faults(binary.path) == []


def test_text_for_a_feature_without_categories_is_a_fault(game: Game, binary: TrainedForest) -> None:
    game.store(Columns(NUMBERS[1:], ("Column_0",)))
    (fault,) = game.faults(binary.path)
    assert "'Column_0' is text" in fault


def test_number_for_categories_of_texts_is_a_fault(game: Game, pandas_model: TrainedForest) -> None:
    game.store(Columns(("f0", "platform", "f2", "f3", "tier", "f5"), ()))
    (fault,) = game.faults(pandas_model.path)
    assert "'platform' is a number" in fault
    game.store(Columns(("f0", "f2", "f3", "tier", "f5"), ("platform",)))
    assert game.faults(pandas_model.path) == []


def test_text_for_categories_of_numbers_is_a_fault(game: Game, pandas_model: TrainedForest) -> None:
    game.store(Columns(("f0", "f2", "f3", "f5"), ("platform", "tier")))
    assert any("'tier'" in fault for fault in game.faults(pandas_model.path))


def test_missing_store_is_one_fault_and_not_one_per_feature(game: Game, binary: TrainedForest) -> None:
    (game.folder / "players.sqlite").unlink()
    (fault,) = game.faults(binary.path)
    assert fault.startswith("features.path: ")
    assert "mesh features load" in fault


def test_file_that_is_not_a_store_is_a_fault(game: Game, binary: TrainedForest) -> None:
    (game.folder / "players.sqlite").write_bytes(b"hello" * 100)
    (fault,) = game.faults(binary.path)
    assert fault.startswith("features.path: ")


def test_missing_offers_are_one_fault(game: Game, binary: TrainedForest) -> None:
    (game.folder / "offers.csv").unlink()
    (fault,) = game.faults(binary.path)
    assert fault.startswith("offers.path: ")


def test_every_fault_of_the_offers_is_reported(game: Game, binary: TrainedForest) -> None:
    game.offers("offer_id,price\nstarter,cheap\nstarter,1\n")
    assert [fault.split(": ")[0] for fault in game.faults(binary.path)] == ["offers.path"] * 2


def test_offers_in_the_catalog_are_used_instead_of_the_file(game: Game, binary: TrainedForest) -> None:
    (game.folder / "offers.csv").unlink()
    game.table = r', table: "offer_id,price\nstarter,1\n"'
    assert game.faults(binary.path) == []
    game.table = r', table: "offer_id,price\nstarter,cheap\n"'
    (fault,) = game.faults(binary.path)
    assert fault.startswith("offers.table: the table:2: price 'cheap' is wrong")


def test_fallback_that_is_not_an_offer_is_a_fault(game: Game, binary: TrainedForest) -> None:
    game.fallback = "ghost"
    (fault,) = game.faults(binary.path)
    assert fault.startswith("offers.fallback: 'ghost' is not an offer in ")


def test_expected_revenue_needs_prices(game: Game, binary: TrainedForest) -> None:
    game.offers("offer_id\nstarter\n")
    (fault,) = game.faults(binary.path)
    assert fault.startswith("offers.rank_by: ")
    game.rank_by = "score"
    assert game.faults(binary.path) == []


def test_excluded_name_that_nothing_has_is_a_fault(game: Game, binary: TrainedForest) -> None:
    game.more = (
        f"context: {{hour: number}}\ndecisions: {{to: log, exclude: [player, hour, price, {NUMBERS[0]}, emial]}}"
    )
    (fault,) = game.faults(binary.path)
    assert fault.startswith("decisions.exclude[4]: 'emial' is not a column of a request, or a feature of")
    assert fault.endswith("correct the name, or remove it; columns of a request: request_id, context, player, caller")
