"""The hand-written catalog agrees with the code of the example."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from examples.dragonfall.backend import GAME, logins
from examples.dragonfall.build import CATALOG, MODELS, STORE
from examples.dragonfall.offers import FALLBACK, OFFERS_CSV, read_offers
from examples.dragonfall.segments import SEGMENTS
from examples.dragonfall.simulation import Encounters, simulate_players
from examples.dragonfall.training import features, purchases_of


@pytest.fixture(scope="module")
def catalog() -> Any:
    return yaml.safe_load(CATALOG.read_text())


def test_catalog_and_backend_use_the_same_game(catalog: Any) -> None:
    assert catalog["game"] == GAME


def test_catalog_lists_the_trained_model_of_every_segment(catalog: Any) -> None:
    models = {model["name"]: CATALOG.parent / model["uri"] for model in catalog["versions"]["2026-10"]["models"]}
    assert models == {name: MODELS / f"{name}.txt" for name in SEGMENTS}


def test_catalog_uses_the_store_of_the_build(catalog: Any) -> None:
    assert CATALOG.parent / catalog["features"]["path"] == STORE


def test_fallback_is_an_offer_of_the_shop(catalog: Any) -> None:
    assert CATALOG.parent / catalog["offers"]["path"] == OFFERS_CSV
    assert catalog["offers"]["fallback"] == FALLBACK
    assert FALLBACK in read_offers().ids


def test_offers_have_distinct_ids_and_a_price() -> None:
    offers = read_offers()
    assert len(set(offers.ids)) == len(offers.ids)
    assert (offers.prices > 0).all()


def test_backend_sends_each_context_feature_with_its_declared_type(catalog: Any) -> None:
    players, offers = simulate_players(300, seed=1), read_offers()
    request = logins(players, purchases_of("asia", players, offers, 1, seed=1).encounters)[0]
    fields = {"number": "number", "boolean": "flag", "text": "text"}
    sent = {name: value.WhichOneof("kind") for name, value in request.context.items()}
    assert sent == {name: fields[kind] for name, kind in catalog["context"].items()}


def test_each_feature_of_the_models_has_exactly_one_source(catalog: Any) -> None:
    players, offers = simulate_players(300, seed=1), read_offers()
    encounters: Encounters = purchases_of("asia", players, offers, 1, seed=1).encounters
    sources = [*players.columns, *catalog["context"], *offers.columns]
    assert sorted(features(players, offers, encounters)) == sorted(sources)
    assert len(set(sources)) == len(sources)
