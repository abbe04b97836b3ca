"""The throw-away certificates of `mesh up --tls`: which of them may ask for an offer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mesh.catalog.catalog import Catalog
from mesh.cli.up.certificates import make_certificates, without_asker

TOKEN = {"token_sha256": ["0" * 64]}


def catalog_with(callers: Any) -> Catalog:
    versions = {"1": {"models": [{"name": "m", "uri": "m.txt"}]}}
    return Catalog.model_validate({"game": "g", "features": {"path": "p"}, "callers": callers, "versions": versions})


@pytest.mark.parametrize(
    ("callers", "asker"),
    [
        (None, "client"),
        ({"anyone": True}, "client"),
        ({"lobby": {"names": ["lobby.example"]}, "friends": {"names": ["client.mesh"]}}, "client"),
        ({"reports": {"names": ["client.mesh"], "methods": ["Score"]}, "lobby": {"names": ["a"]}}, "caller-g-lobby"),
        ({"backend": TOKEN, "lobby": {"names": ["lobby.example"]}}, "caller-g-lobby"),
    ],
)
def test_asker_is_a_certificate_that_may_ask_for_an_offer(tmp_path: Path, callers: Any, asker: str) -> None:
    catalog = catalog_with(callers)
    made = make_certificates(tmp_path, [catalog], "127.0.0.1")
    cert = tmp_path / f"{asker}.pem"
    assert cert.exists()
    assert str(cert) in made.asker_words("g")
    assert list(without_asker([catalog])) == []


def test_game_without_a_certificate_that_may_ask() -> None:
    catalog = catalog_with({"backend": TOKEN, "reports": {"names": ["a"], "methods": ["Score"]}})
    assert list(without_asker([catalog])) == ["g"]
