"""The comparison of the example on DynamoDB and S3 with the example on files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from emulators.processes import Server
from examples.dragonfall import demo_dynamodb
from examples.dragonfall.backend import Answer
from examples.dragonfall.build import CATALOG
from mesh.catalog import catalog as catalogs

ANSWER = Answer("p", "gem-chest", 1.25, "ENSEMBLE", "", 5.0)


def test_comparison_counts_whole_ensembles_and_equal_offers_with_equal_revenue() -> None:
    others = [
        replace(ANSWER, latency_ms=9.0),
        replace(ANSWER, offer_id="starter-pack"),
        replace(ANSWER, expected_revenue_usd=1.25000001),
        replace(ANSWER, source="PARTIAL", reason="missing-models: m"),
        replace(ANSWER, reason="stale-features: old"),
    ]
    held_out = replace(ANSWER, source="FALLBACK", reason="holdout: the player belongs to the group without models")
    found = demo_dynamodb._compare("moto", [*[ANSWER] * 5, held_out], [*others, held_out])
    assert (found.logins, found.held_out, found.whole, found.same, found.differing) == (6, 1, 3, 4, ("p", "p"))


def test_catalog_of_the_demo_differs_from_the_example_only_in_its_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_dynamodb, "FOLDER", tmp_path)
    example = catalogs.load(CATALOG)
    names = [model.name for model in example.versions["2026-10"].models]
    published = [{"name": name, "uri": f"s3://b/{name}.txt", "sha256": "0" * 64} for name in reversed(names)]

    made = catalogs.load(demo_dynamodb._write_catalog(Server("s", 1, tmp_path), published))

    assert [model.uri for model in made.versions["2026-10"].models] == [f"s3://b/{name}.txt" for name in names]
    assert (made.features.store, made.offers, made.context) == ("dynamodb", example.offers, example.context)
