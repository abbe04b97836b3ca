"""EndpointSlices as values, and the small parts that discovery is made of."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.back_off import BackOff
from mesh.errors import Misconfigured
from supervisor.discovery import json_lines
from supervisor.discovery.json_lines import JsonLines, TooLong
from supervisor.discovery.model_slice import merged, parse, selector
from supervisor.discovery.service_account import read_service_account
from tests.supervisor.fake_api_server import endpoint, slice_of

MODEL = ("dragonfall", "2026-10", "whales")


def addresses(*slices: dict[str, object]) -> list[str]:
    return list(merged([parse(one) for one in slices]).of(*MODEL))


def test_ready_that_is_not_said_means_yes() -> None:
    silent = {"addresses": ["10.0.0.1"]}
    unsure = endpoint("10.0.0.2", ready=None, terminating=None)
    assert addresses(slice_of("a", MODEL, [silent, unsure])) == ["10.0.0.1:9000", "10.0.0.2:9000"]


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert addresses(slice_of("a", MODEL, [endpoint("fd00::7")], family="IPv6")) == ["[fd00::7]:9000"]


def test_a_pod_with_two_addresses_counts_once_by_its_ipv4() -> None:
    six = slice_of("a", MODEL, [endpoint("fd00::7", uid="pod-1"), endpoint("fd00::8", uid="pod-2")], family="IPv6")
    four = slice_of("b", MODEL, [endpoint("10.0.0.1", uid="pod-1")])
    assert addresses(six, four) == ["10.0.0.1:9000", "[fd00::8]:9000"]


def test_an_endpoint_in_two_slices_counts_once() -> None:
    assert addresses(*(slice_of(name, MODEL, [endpoint("10.0.0.1")]) for name in "ab")) == ["10.0.0.1:9000"]


def test_a_service_without_pods_has_no_ports_and_makes_sense() -> None:
    assert addresses({**slice_of("a", MODEL, []), "ports": None, "endpoints": None}) == []


def test_one_selector_is_for_all_games() -> None:
    expected = "app.kubernetes.io/component=model-worker,ensemble-mesh/game in (dragonfall,harborlight)"
    assert selector(["harborlight", "dragonfall"]) == expected


@given(st.lists(st.sampled_from([1, "é", None, {"a": [2]}])), st.randoms(use_true_random=False))
def test_lines_are_whole_however_they_are_cut(values: list[object], chance: random.Random) -> None:
    data = "".join(f"{json.dumps(value)}\n" for value in values).encode()
    lines = JsonLines()
    heard: list[object] = []
    while data:
        cut = chance.randint(1, len(data))
        heard += lines.feed(data[:cut])
        data = data[cut:]
    assert heard == values


def test_a_line_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_LINE_BYTES", 10)
    with pytest.raises(TooLong):
        JsonLines().feed(b"x" * 11)


def test_pauses_grow_to_a_cap_and_are_short_again_after_a_success() -> None:
    pauses = BackOff(0.1, 3.0, lambda _, high: high)
    assert [pauses.next_s() for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0]
    pauses.reset()
    assert pauses.next_s() == 0.1


def test_a_pause_is_jittered() -> None:
    assert BackOff(0.1, 3.0, lambda low, _: low).next_s() == 0.05


def test_outside_of_a_cluster_all_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_service_account(tmp_path, {})
    assert [fault.split()[1].rpartition("/")[2] for fault in caught.value.faults] == [
        "KUBERNETES_SERVICE_HOST",
        "token",
        "ca.crt",
        "namespace",
    ]


def test_an_api_server_of_ipv6_stands_in_brackets(tmp_path: Path) -> None:
    folder = tmp_path
    for name in ("token", "ca.crt", "namespace"):
        (folder / name).write_text("games\n")
    account = read_service_account(folder, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})
    assert (account.url, account.namespace, account.token()) == ("https://[fd00::1]:6443", "games", "games")
