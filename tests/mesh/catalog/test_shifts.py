"""Rollouts and guards in the catalog: what is valid, the shares over time, and the faults."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mesh.catalog import catalog, yaml_text
from mesh.catalog.shifts import shares_at
from tests.mesh.catalog.faults_of_text import faults

START_S = 1_796_119_200.0  # 2026-12-01T10:00:00Z
GOOD = """\
game: g
features: {path: players.sqlite}
versions:
  "2026-09":
    traffic: 20
    models: [{name: m, uri: m.txt}]
  "2026-10":
    traffic: 80
    models: [{name: m, uri: m.txt}]
  "2026-11":
    rollout:
      start: 2026-12-01T10:00:00Z
      steps: [1, 5, 25, 100]
      hold_s: 900
    guard: {to: "2026-10", whole: 99.5, p99_ms: 80}
    models: [{name: m, uri: m.txt}]
"""


def swap(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("after_s", "shares"),
    [(-1, (20, 80, 0)), (0, (19.8, 79.2, 1)), (1799, (19, 76, 5)), (2700, (0, 0, 100)), (math.inf, (0, 0, 100))],
)
def test_shares_follow_the_plan(file: Path, after_s: float, shares: tuple[float, ...]) -> None:
    assert faults(file, GOOD) == []
    found = shares_at(catalog.load(file).versions, START_S + after_s)
    assert found == dict(zip(("2026-09", "2026-10", "2026-11"), shares, strict=True))


@pytest.mark.parametrize(
    "start",
    [
        '"2026-12-01T10:00:00Z"',  # text, as Helm writes it
        "2026-12-01T11:00:00+01:00",
        '"2026-12-01T11:00+01:00"',
        "2026-12-01 10:00:00Z",
        '"2026-12-01 04:30:00.000-05:30"',
    ],
)
def test_start_is_a_time_with_a_zone_with_or_without_quotes(file: Path, start: str) -> None:
    assert faults(file, swap("2026-12-01T10:00:00Z", start)) == []
    plan = catalog.load(file).versions["2026-11"].rollout
    assert plan is not None
    assert next(step.start_s for step in plan.all_steps() if step.share) == START_S


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("traffic: 20", "traffic: 30", "3: versions: the traffic of the versions without a rollout adds up to 110"),
        (
            "    rollout:",
            "    traffic: 5\n    rollout:",
            "12: versions.2026-11.rollout: the version has `traffic`, too",
        ),
        (
            "traffic: 20",
            "rollout: {start: 2026-12-01T10:00:00Z, steps: [1], hold_s: 1}",
            "11: versions.2026-11.rollout: version 2026-09 has a rollout, too",
        ),
        ("[1, 5, 25, 100]", "[1, 25, 5]", "13: versions.2026-11.rollout.steps[2]: 5 follows 25; list the steps"),
        ("[1, 5, 25, 100]", "[5, 5]", "13: versions.2026-11.rollout.steps[1]: 5 follows 5"),
        ("[1, 5, 25, 100]", "[0, 5]", "13: versions.2026-11.rollout.steps[0]: 0 is wrong"),
        ("[1, 5, 25, 100]", "[101]", "13: versions.2026-11.rollout.steps[0]: 101 is wrong"),
        ("[1, 5, 25, 100]", "[]", "13: versions.2026-11.rollout.steps: is empty"),
        ("[1, 5, 25, 100]", "5", "13: versions.2026-11.rollout.steps: 5 is wrong; it should be a list"),
        ("hold_s: 900", "hold_s: 0", "14: versions.2026-11.rollout.hold_s: 0 is wrong"),
        ("2026-12-01T10:00:00Z", "2026-12-01T10:00:00", "12: versions.2026-11.rollout.start: '2026-12-01T10:00:00'"),
        ("2026-12-01T10:00:00Z", "2026-12-01", "12: versions.2026-11.rollout.start: '2026-12-01' is not a time with"),
        (
            "2026-12-01T10:00:00Z",
            '"2026-13-01T10:00:00Z"',
            "12: versions.2026-11.rollout.start: '2026-13-01T10:00:00Z'",
        ),
        (
            "2026-12-01T10:00:00Z",
            "tomorrow",
            "12: versions.2026-11.rollout.start: 'tomorrow' is not a time with a zone",
        ),
        ('to: "2026-10"', 'to: "2026-12"', "15: versions.2026-11.guard.to: there is no version '2026-12'"),
        ('to: "2026-10"', 'to: "2026-11"', "15: versions.2026-11.guard.to: is the version of the guard"),
        (", whole: 99.5, p99_ms: 80", "", "15: versions.2026-11.guard: has no bound; add `whole`"),
        ("p99_ms: 80", "p99_ms: 300", "15: versions.2026-11.guard.p99_ms: no answer takes 300 ms"),
        ("whole: 99.5", "whole: 101", "15: versions.2026-11.guard.whole: 101 is wrong"),
    ],
)
def test_contradiction_is_a_fault(file: Path, old: str, new: str, fault: str) -> None:
    (found,) = faults(file, swap(old, new))
    assert found.startswith(fault)


def test_only_version_of_a_game_cannot_have_a_rollout(file: Path) -> None:
    head, _, rest = GOOD.partition("  ")
    alone = head + rest[rest.index('"2026-11"') - 2 :].replace('to: "2026-10", ', 'to: "2026-11", ')
    assert [fault.split(": ", 2)[1:] for fault in faults(file, alone)] == [
        [
            "versions.2026-11.rollout",
            "there is no other version, which has the players before the rollout; "
            "use `traffic`, or add the version that has the players now",
        ],
        ["versions.2026-11.guard.to", "is the version of the guard; name another version"],
    ]


def test_guards_that_give_players_back_and_forth_are_a_fault(file: Path) -> None:
    loop = swap("traffic: 80", 'traffic: 80\n    guard: {to: "2026-09", whole: 90}').replace(
        "traffic: 20", 'traffic: 20\n    guard: {to: "2026-11", whole: 90}'
    )
    found = faults(file, loop)
    assert [fault.split(": ")[1] for fault in found] == [
        f"versions.{name}.guard.to" for name in ("2026-09", "2026-10", "2026-11")
    ]
    assert all("can give its players back to this version" in fault for fault in found)


def test_guard_into_a_loop_of_others_is_not_in_the_loop(file: Path) -> None:
    loop = swap("traffic: 80", 'traffic: 80\n    guard: {to: "2026-09", whole: 90}').replace(
        "traffic: 20", 'traffic: 20\n    guard: {to: "2026-10", whole: 90}'
    )
    assert [fault.split(": ")[1] for fault in faults(file, loop)] == [
        "versions.2026-09.guard.to",
        "versions.2026-10.guard.to",
    ]


@pytest.mark.parametrize(
    ("key", "value", "is_valid"),
    [
        ("rollout", {"start": "2026-12-01T10:00:00Z", "steps": [1, 100], "hold_s": 900}, True),
        ("rollout", {"start": "2026-12-01T10:00:00", "steps": [1, 100], "hold_s": 900}, False),
        ("rollout", {"start": "2026-12-01T10:00:00Z", "steps": [], "hold_s": 900}, False),
        ("rollout", {"start": "2026-12-01T10:00:00Z", "steps": [0.5, 101], "hold_s": 900}, False),
        ("rollout", None, True),
        ("guard", {"to": "2026-10", "whole": 99}, True),
        ("guard", {"whole": 99}, False),
        ("guard", {"to": "2026-10", "whole": 99, "windows": 60}, False),
    ],
)
def test_schema_and_types_accept_the_same_blocks(file: Path, key: str, value: Any, is_valid: bool) -> None:
    tree = yaml_text.load(GOOD)
    version = tree["versions"]["2026-11"]
    version["rollout"] = {**version["rollout"], "start": "2026-12-01T10:00:00Z"}  # JSON has no type for times
    version[key] = value
    if value is None:
        version["traffic"] = 0
    assert jsonschema.Draft202012Validator(catalog.schema()).is_valid(tree) is is_valid
    assert (not faults(file, yaml_text.dump(tree))) is is_valid


def test_catalog_that_is_read_and_written_keeps_the_start(file: Path) -> None:
    assert faults(file, yaml_text.dump(yaml_text.load(GOOD))) == []
    assert shares_at(catalog.load(file).versions, START_S)["2026-11"] == 1
