"""Shadow targets: which players they sample."""

from __future__ import annotations

from typing import cast

import pytest

from mesh.catalog.version import Model, Version
from mesh.player_position import position
from supervisor.panel import Panel
from supervisor.ranges import divide
from supervisor.shadow.target import ShadowTarget

PLAYERS = [f"player-{number}" for number in range(20_000)]
VERSION = Version(models=(Model(name="m", uri="m.txt"),))


def target(share: float, name: str = "v2") -> ShadowTarget:
    return ShadowTarget("g", name, share, cast(Panel, None), VERSION, None, cast(Panel, None))


def test_share_of_the_players_is_sampled_and_grows() -> None:
    tenth = {player for player in PLAYERS if target(10).samples(player)}
    half = {player for player in PLAYERS if target(50).samples(player)}
    assert len(tenth) == pytest.approx(2_000, rel=0.1)
    assert len(half) == pytest.approx(10_000, rel=0.05)
    assert tenth < half
    assert all(target(100).samples(player) for player in PLAYERS)


def test_sample_has_each_version_in_its_share() -> None:
    traffic = divide({"v0": 30.0, "v1": 70.0})
    sampled = [player for player in PLAYERS if target(10).samples(player)]
    of_v0 = [player for player in sampled if traffic.at(position(f"g/{player}")) == "v0"]
    assert len(of_v0) / len(sampled) == pytest.approx(0.3, abs=0.04)


def test_two_shadows_sample_different_players() -> None:
    first = {player for player in PLAYERS if target(10).samples(player)}
    second = {player for player in PLAYERS if target(10, "v3").samples(player)}
    assert len(first & second) == pytest.approx(200, rel=0.4)
