from __future__ import annotations

from mesh.players.dynamodb.feast import FeastLayout
from mesh.players.features import Columns


def test_key_is_the_hash_that_feast_computes() -> None:
    layout = FeastLayout(Columns((), ()), "player_id")
    assert layout.key("player-00042") == "2fff991784064f9e78c36ebdcddae655"
