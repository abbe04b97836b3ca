"""The service account of a pod."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.errors import Misconfigured
from supervisor.discovery.service_account import read_service_account


def test_every_missing_part_is_reported_outside_of_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_service_account(tmp_path, {})
    assert [fault.split()[1].rpartition("/")[2] for fault in caught.value.faults] == [
        "KUBERNETES_SERVICE_HOST",
        "token",
        "ca.crt",
        "namespace",
    ]


def test_ipv6_address_of_the_api_server_has_brackets(tmp_path: Path) -> None:
    folder = tmp_path
    for name in ("token", "ca.crt", "namespace"):
        (folder / name).write_text("games\n")
    account = read_service_account(folder, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert (account.url, account.namespace, account.token()) == ("https://[fd00::1]:6443", "games", "games")
