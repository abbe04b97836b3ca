"""`callers` in the catalog: what is valid, and the contradictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mesh.catalog import catalog, yaml_text
from tests.mesh.catalog.faults_of_text import faults

DIGEST = "c7" * 32
LIMITS = "requests_per_s: 5, burst: 9"
GOOD = """\
game: g
features: {path: players.sqlite}
callers:
  lobby: {names: [spiffe://studio.example/lobby, lobby.studio.example]}
  shop:
    token_sha256: [DIGEST]
    methods: [GetOffer]
    pins: []
  anyone: {requests_per_s: 5, burst: 9}
versions:
  v1: {models: [{name: m, uri: m.txt}]}
""".replace("DIGEST", DIGEST)


def is_valid(text: str) -> bool:
    values: Any = yaml_text.parse(text)[1]
    return not list(jsonschema.Draft202012Validator(catalog.schema()).iter_errors(values))


def test_caller_may_do_everything_that_the_catalog_does_not_restrict(file: Path) -> None:
    assert faults(file, GOOD) == []
    assert is_valid(GOOD)
    callers = catalog.load(file).callers
    assert callers is not None
    lobby, shop = callers["lobby"], callers["shop"]
    assert lobby.methods == ("GetOffer", "StreamOffers", "Score", "ReportOutcome")
    assert (lobby.pins, lobby.requests_per_s, lobby.weight, lobby.critical) == (None, None, 1, False)
    assert (shop.methods, shop.pins) == (("GetOffer",), ())


def test_anyone_may_be_true_or_have_limits(file: Path) -> None:
    assert faults(file, GOOD.replace("anyone: {requests_per_s: 5, burst: 9}", "anyone: true")) == []


def test_catalog_without_callers_has_none(file: Path) -> None:
    assert faults(file, "game: g\nfeatures: {path: p}\nversions: {v1: {models: [{name: m, uri: m.txt}]}}\n") == []
    assert catalog.load(file).callers is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "pins: []",
            "pins: [v1, v9]",
            "8: callers.shop.pins[1]: the game has no version 'v9'; remove it, or name one of v1",
        ),
        ("burst: 9", "weight: 0", "9: callers.anyone.weight: 0 is wrong; it should be greater than or equal to 0.01"),
        ("requests_per_s: 5, ", "", "9: callers.anyone.burst: without requests_per_s there is no limit"),
        ("requests_per_s: 5", "requests_per_s: 0", "9: callers.anyone.requests_per_s: 0 is wrong"),
        (LIMITS, f"token_sha256: [{'ab' * 32}]", "9: callers.anyone.token_sha256: anyone is every peer"),
        (LIMITS, "names: [b]", "9: callers.anyone.names: anyone is every peer"),
        (f"token_sha256: [{DIGEST}]", "weight: 2", "5: callers.shop: has neither names nor token_sha256"),
        (f"token_sha256: [{DIGEST}]", "names: []", "6: callers.shop.names: is empty, so no peer can be this caller"),
        (f"[{DIGEST}]", "[DEADBEEF]", "6: callers.shop.token_sha256[0]: 'DEADBEEF' is not a SHA-256; give the 64"),
        (
            f"[{DIGEST}]",
            f"[{DIGEST}, {DIGEST}]",
            "6: callers.shop.token_sha256[1]: the digest is already in token_sha256 of",
        ),
        (
            DIGEST,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6: callers.shop.token_sha256[0]: is the digest of an empty text",
        ),
        (
            "pins: []",
            "names: [lobby.studio.example]",
            "8: callers.shop.names[0]: 'lobby.studio.example' is already in names of lobby; give it to one caller only",
        ),
        (
            "lobby.studio.example]",
            "'*.studio.example']",
            "4: callers.lobby.names[1]: '*.studio.example' is not the name of a certificate",
        ),
        ("methods: [GetOffer]", "methods: []", "7: callers.shop.methods: is empty; add at least one"),
        ("[GetOffer]", "[GetOffers]", "7: callers.shop.methods[0]: 'GetOffers' is wrong; it should be 'GetOffer'"),
        ("  lobby:", "  Lobby:", "4: callers.Lobby: 'Lobby' is not a DNS label"),
        ("shop:\n", "shop: true\n  other:\n", "5: callers.shop: has neither names nor token_sha256"),
    ],
)
def test_contradictions(file: Path, old: str, new: str, fault: str) -> None:
    (found,) = faults(file, GOOD.replace(old, new))
    assert found.startswith(fault)


def test_digest_in_a_fault_is_not_shown(file: Path) -> None:
    (found,) = faults(file, GOOD.replace(f"[{DIGEST}]", f"[{DIGEST}, {DIGEST}]"))
    assert DIGEST not in found


@pytest.mark.parametrize(
    ("block", "fault"),
    [("{}", "3: callers: is empty, so nobody may ask"), ("[lobby]", "3: callers: ['lobby'] is wrong; it should be")],
)
def test_block_must_map_names_to_callers(file: Path, block: str, fault: str) -> None:
    head, _, rest = GOOD.partition("callers:\n")
    (found,) = faults(file, f"{head}callers: {block}\nversions:{rest.partition('versions:')[2]}")
    assert found.startswith(fault)
