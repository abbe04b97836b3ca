"""What a worker knows about the sources of features, and the models that it refuses because of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mesh.catalog.catalog import load
from mesh.catalog.worker_inputs import faults, inputs_of, read_inputs
from mesh.errors import Misconfigured
from mesh.model_file import ModelHeader
from mesh.players.features import Columns
from mesh.players.sqlite import replacing_store

HEADER = ModelHeader(("level", "price", "hour"), {}, "binary", 1, 1)
OFFERS = "offer_id,price\ngems,1.5\n"
TABLE = {"store": "dynamodb", "table": "players", "region": "eu-west-1"}
NAMED = {**TABLE, "layout": "attributes", "columns": {"numbers": ["level"], "texts": ["country"]}}
WHOLE = {"features": NAMED, "context": {"hour": "number"}, "offers": {"table": OFFERS, "fallback": "gems"}}


def found(folder: Path, header: ModelHeader, **inputs: Any) -> list[str]:
    path = folder / "inputs.json"
    path.write_text(json.dumps({**WHOLE, "folder": str(folder), **inputs}))
    return faults(header, read_inputs(path))


def with_feature(name: str) -> ModelHeader:
    return replace(HEADER, feature_names=(*HEADER.feature_names, name))


def test_model_whose_features_all_have_a_source_is_accepted(tmp_path: Path) -> None:
    assert found(tmp_path, HEADER) == []


def test_feature_without_a_source_is_named_with_the_fix(tmp_path: Path) -> None:
    assert found(tmp_path, with_feature("clan")) == [
        "feature 'clan' has no source; add it to the player store, to `context` or to the offers"
    ]


def test_text_that_the_model_cannot_encode_is_named(tmp_path: Path) -> None:
    (fault,) = found(tmp_path, with_feature("country"))
    assert fault.startswith("feature 'country' is text, but the model has no categories for it; ")


@pytest.mark.parametrize(
    "unknown",
    [
        {"features": TABLE},
        {"features": {"store": "sqlite", "path": "missing.sqlite"}},
        {"features": {"path": "inputs.json"}},
        {"offers": {"path": "missing.csv", "fallback": "gems"}},
    ],
    ids=["packed table", "no file", "no store", "no offers"],
)
def test_feature_that_an_unknown_source_may_have_is_accepted(tmp_path: Path, unknown: Any) -> None:
    assert found(tmp_path, with_feature("clan"), **unknown) == []
    assert read_inputs(tmp_path / "inputs.json").unknown


def test_kind_of_a_known_source_is_checked_though_another_source_is_unknown(tmp_path: Path) -> None:
    (fault,) = found(tmp_path, HEADER, features=TABLE, context={"hour": "text"})
    assert fault.startswith("feature 'hour' is text, ")


def test_column_that_was_added_to_the_store_is_known_without_a_new_file(tmp_path: Path) -> None:
    features = {"store": "sqlite", "path": "players.sqlite"}
    with replacing_store(tmp_path / "players.sqlite", Columns(("level",), ())):
        pass
    assert len(found(tmp_path, with_feature("clan"), features=features)) == 1
    with replacing_store(tmp_path / "players.sqlite", Columns(("level", "clan"), ())):
        pass
    assert faults(with_feature("clan"), read_inputs(tmp_path / "inputs.json")) == []


def test_inputs_of_a_catalog_are_its_sources_with_absolute_paths(tmp_path: Path) -> None:
    (tmp_path / "offers.csv").write_text(OFFERS)
    (tmp_path / "mesh.yaml").write_text(
        "game: g\nfeatures: {path: players.sqlite}\ncontext: {hour: number}\n"
        "offers: {path: offers.csv, fallback: gems}\nversions: {v: {models: [{name: m, uri: m.txt}]}}\n"
    )
    inputs = json.loads(inputs_of(load(tmp_path / "mesh.yaml")))
    assert inputs["features"]["path"] == str(tmp_path / "players.sqlite")
    assert inputs["offers"]["path"] == str(tmp_path / "offers.csv")
    assert inputs["context"] == {"hour": "number"}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"features": 1}', '{"features": {"store": "sqlite"}}'])
def test_file_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "inputs.json"
    path.write_text(text)
    with pytest.raises(Misconfigured, match="is not an inputs file"):
        read_inputs(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        read_inputs(tmp_path / "inputs.json")
