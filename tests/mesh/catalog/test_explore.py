"""`explore` in the catalog: what is valid, and the contradictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mesh.catalog import catalog, yaml_text
from tests.mesh.catalog.faults_of_text import faults

GOOD = """\
game: g
features: {path: players.sqlite}
offers: {path: offers.csv, fallback: a}
versions:
  v1:
    explore: {kind: softmax, share: 2}
    models: [{name: m, uri: m.txt}, {name: other, uri: n.txt}]
"""


def test_defaults_are_the_top_five_and_a_temperature_for_softmax(file: Path) -> None:
    assert faults(file, GOOD) == []
    explore = catalog.load(file).versions["v1"].explore
    assert explore is not None
    assert (explore.top, explore.temperature) == (5, 0.5)


def test_version_without_explore_does_not_explore(file: Path) -> None:
    assert faults(file, GOOD.replace("    explore: {kind: softmax, share: 2}\n", "")) == []
    assert catalog.load(file).versions["v1"].explore is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "offers: {path: offers.csv, fallback: a}\n",
            "",
            "5: versions.v1.explore: explore draws an offer, but the game has no offers; add an `offers` block",
        ),
        ("share: 2}", "share: 2, top: 1}", "6: versions.v1.explore.top: 1 is wrong"),
        ("share: 2}", "share: 0}", "6: versions.v1.explore.share: 0 is wrong"),
        ("share: 2}", "share: 200}", "6: versions.v1.explore.share: 200 is wrong"),
        (", share: 2", "", "6: versions.v1.explore.share: is missing"),
        ("kind: softmax", "kind: greedy", "6: versions.v1.explore.kind: 'greedy'"),
        (
            "softmax, share: 2",
            "epsilon, share: 2, temperature: 1",
            "6: versions.v1.explore.temperature: kind epsilon does not use it; remove it, or use kind softmax",
        ),
        ("share: 2}", "share: 2, temperature: 0}", "6: versions.v1.explore.temperature: 0 is wrong"),
    ],
)
def test_contradiction_is_a_fault(file: Path, old: str, new: str, fault: str) -> None:
    assert GOOD.count(old) == 1
    (found,) = faults(file, GOOD.replace(old, new))
    assert found.startswith(fault)


@pytest.mark.parametrize(
    "models", ["{name: m, uri: m.txt}", "{name: m, uri: m.txt}, {name: other, uri: n.txt, shadow: true}"]
)
def test_thompson_votes_of_one_voter_is_a_fault(file: Path, models: str) -> None:
    text = GOOD.replace("softmax", "thompson_votes")
    assert faults(file, text) == []
    (found,) = faults(file, text.replace("{name: m, uri: m.txt}, {name: other, uri: n.txt}", models))
    assert found.startswith("6: versions.v1.explore.kind: thompson_votes draws one of the models, but only one model")


@pytest.mark.parametrize(
    ("explore", "is_valid"),
    [
        ({"kind": "epsilon", "share": 0.5, "top": 2}, True),
        ({"kind": "thompson_votes", "share": 100}, True),
        ({"kind": "softmax", "share": 2, "temperature": 0.05}, True),
        ({"kind": "softmax", "share": 2, "temperature": 101}, False),
        ({"kind": "epsilon", "share": 2, "top": 2.5}, False),
        ({"share": 2}, False),
        ({"kind": "epsilon", "share": 2, "of": 3}, False),
        (None, True),
    ],
)
def test_schema_and_types_accept_the_same_blocks(file: Path, explore: Any, is_valid: bool) -> None:
    tree = yaml_text.load(GOOD)
    tree["versions"]["v1"]["explore"] = explore
    assert jsonschema.Draft202012Validator(catalog.schema()).is_valid(tree) is is_valid
    assert (not faults(file, yaml_text.dump(tree))) is is_valid
