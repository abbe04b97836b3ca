"""Parsing and merging of EndpointSlices."""

from __future__ import annotations

from supervisor.discovery.model_slice import merged, parse, selector
from tests.supervisor.fake_api_server import endpoint, slice_of

MODEL = ("dragonfall", "2026-10", "whales")


def addresses(*slices: dict[str, object]) -> list[str]:
    return list(merged([parse(one) for one in slices]).of(*MODEL))


def test_missing_ready_condition_means_ready() -> None:
    silent = {"addresses": ["10.0.0.1"]}
    unsure = endpoint("10.0.0.2", ready=None, terminating=None)
    assert addresses(slice_of("a", MODEL, [silent, unsure])) == ["10.0.0.1:9000", "10.0.0.2:9000"]


def test_ipv6_address_has_brackets() -> None:
    assert addresses(slice_of("a", MODEL, [endpoint("fd00::7")], family="IPv6")) == ["[fd00::7]:9000"]


def test_dual_stack_pod_counts_once_by_its_ipv4_address() -> None:
    six = slice_of("a", MODEL, [endpoint("fd00::7", uid="pod-1"), endpoint("fd00::8", uid="pod-2")], family="IPv6")
    four = slice_of("b", MODEL, [endpoint("10.0.0.1", uid="pod-1")])
    assert addresses(six, four) == ["10.0.0.1:9000", "[fd00::8]:9000"]


def test_endpoint_in_two_slices_counts_once() -> None:
    assert addresses(*(slice_of(name, MODEL, [endpoint("10.0.0.1")]) for name in "ab")) == ["10.0.0.1:9000"]


def test_slice_without_pods_and_ports_is_valid() -> None:
    assert addresses({**slice_of("a", MODEL, []), "ports": None, "endpoints": None}) == []


def test_one_selector_covers_all_games() -> None:
    expected = "app.kubernetes.io/component=model-worker,ensemble-mesh/game in (dragonfall,harborlight)"
    assert selector(["harborlight", "dragonfall"]) == expected
