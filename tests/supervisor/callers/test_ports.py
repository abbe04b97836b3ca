"""Catalogs whose callers cannot be recognised at the ports of a supervisor."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from mesh.catalog.catalog import Catalog, load
from mesh.errors import Misconfigured
from supervisor.callers.ports import Ports
from tests.supervisor.backend import write_game
from tests.supervisor.callers.fake_call import LOBBY, TOKEN_SHA256

BY_NAME, BY_TOKEN = f'lobby: {{names: ["{LOBBY}"]}}', f"shop: {{token_sha256: [{TOKEN_SHA256}]}}"


def catalog(folder: Path, *callers: str) -> Catalog:
    return load(write_game(folder, **({"callers": f"{{{', '.join(callers)}}}"} if callers else {})))


@pytest.mark.parametrize(
    ("callers", "has_tls", "has_token_port", "faulty"),
    [
        ((BY_NAME,), False, False, ["lobby.names"]),
        ((BY_NAME,), True, False, []),
        ((BY_TOKEN,), True, False, ["shop.token_sha256"]),
        ((BY_TOKEN,), True, True, []),
        ((BY_NAME, BY_TOKEN), False, False, ["lobby.names", "shop.token_sha256"]),
        (("anyone: true",), False, False, []),
        ((), False, False, []),
    ],
)
def test_callers_need_the_ports_by_which_they_are_recognised(
    tmp_path: Path, callers: tuple[str, ...], has_tls: bool, has_token_port: bool, faulty: list[str]
) -> None:
    faults: list[str] = []
    try:
        Ports(has_tls, has_token_port).check(catalog(tmp_path, *callers))
    except Misconfigured as error:
        faults = error.faults
    assert [fault.split(": ")[1].removeprefix("callers.") for fault in faults] == faulty


def test_game_without_callers_at_a_token_port_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Ports(has_tls=True, has_token_port=True).check(catalog(tmp_path))
        Ports(has_tls=True, has_token_port=True).check(catalog(tmp_path, "anyone: true"))
    (line,) = caplog.messages
    assert line.startswith("g: has no `callers`, so every peer of --token-port may ask for it")
