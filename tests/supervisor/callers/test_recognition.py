"""Recognition: the certificate, the token, or anyone; and the reason for each stranger."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from supervisor.callers import recognition
from supervisor.callers.recognition import NO_CALLER, PLAINTEXT, WRONG_TOKEN, Recognition, Unrecognised
from tests.supervisor.callers.fake_call import LOBBY, SHOP, TOKEN, TOKEN_SHA256, FakeCall, callers_of, with_token

LOBBY_ONLY = {"lobby": {"names": [LOBBY], "methods": ["GetOffer"]}}
BY_TOKEN = {"shop": {"token_sha256": [TOKEN_SHA256], "methods": ["Score"]}}


def book(*games: dict[str, Any], has_open_game: bool = False, has_tls: bool = True) -> Recognition:
    callers = [callers_of(blocks, game=f"g{number}") for number, blocks in enumerate(games)]
    return Recognition(callers, has_open_game=has_open_game, has_tls=has_tls)


def names_of(found: recognition.Admission) -> list[tuple[str, str]]:
    return [(one.game, one.name) for one in found.callers]


def test_certificate_is_recognised_in_every_game_that_names_it() -> None:
    known = book(LOBBY_ONLY, {"front": {"names": [LOBBY], "methods": ["Score"]}}, {"shop": {"names": [SHOP]}})
    for _ in range(2):  # the second time from memory
        found = known.of(FakeCall([LOBBY]))
        assert names_of(found) == [("g0", "lobby"), ("g1", "front")]
        assert (set(found.methods), found.is_of_one_game) == ({"GetOffer", "Score"}, False)


def test_token_is_recognised_whatever_the_case_of_its_scheme() -> None:
    for scheme in ("Bearer", "bearer"):
        found = book(LOBBY_ONLY | BY_TOKEN).of(with_token(TOKEN, scheme))
        assert (names_of(found), set(found.methods), found.is_of_one_game) == ([("g0", "shop")], {"Score"}, True)


def test_token_is_compared_in_constant_time_with_every_token_of_the_catalogs(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def watched(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", watched)
    others = [hashlib.sha256(text).hexdigest() for text in (b"1", b"2")]
    known = book({"a": {"token_sha256": [others[0]]}, "b": {"token_sha256": [TOKEN_SHA256, others[1]]}})
    assert names_of(known.of(with_token(TOKEN))) == [("g0", "b")]
    assert compared == [bytes.fromhex(text) for text in (others[0], TOKEN_SHA256, others[1])]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (FakeCall(), NO_CALLER),
        (FakeCall([SHOP]), NO_CALLER),
        (with_token("wrong"), WRONG_TOKEN),
        (with_token(TOKEN, "Basic"), WRONG_TOKEN),
        (with_token(TOKEN_SHA256), WRONG_TOKEN),
        (with_token("", names=[SHOP]), WRONG_TOKEN),
        (FakeCall((), [("authorization", f"Bearer {TOKEN}")] * 2), WRONG_TOKEN),
    ],
)
def test_stranger_is_refused(call: FakeCall, reason: str) -> None:
    with pytest.raises(Unrecognised) as caught:
        book(LOBBY_ONLY | BY_TOKEN).of(call)
    assert caught.value.reason == reason
    assert TOKEN not in reason


def test_wrong_token_is_refused_even_where_anyone_may_call() -> None:
    with pytest.raises(Unrecognised, match="is not the bearer token"):
        book({"anyone": True}).of(with_token("wrong"))


def test_token_over_plaintext_is_refused_even_if_it_is_right() -> None:
    with pytest.raises(Unrecognised) as caught:
        book(BY_TOKEN | {"anyone": True}, has_tls=False).of(with_token(TOKEN))
    assert caught.value.reason == PLAINTEXT


def test_certificate_with_the_name_of_a_caller_needs_no_token() -> None:
    assert names_of(book(LOBBY_ONLY).of(with_token("wrong", names=[LOBBY]))) == [("g0", "lobby")]


def test_plaintext_peer_is_anyone() -> None:
    assert names_of(book({"anyone": True}, has_tls=False).of(FakeCall())) == [("g0", "anyone")]


def test_game_without_callers_lets_everybody_in() -> None:
    found = book(LOBBY_ONLY, has_open_game=True).of(FakeCall([SHOP]))
    assert (found.caller, found.is_of_one_game) == (None, False)
    assert found.methods == {"GetOffer", "StreamOffers", "Score", "ReportOutcome"}
    assert not book(LOBBY_ONLY, has_open_game=True).of(FakeCall([LOBBY])).is_of_one_game


def test_certificates_with_many_names_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "KEPT_PEERS", 8)
    known = book(LOBBY_ONLY | {"anyone": True})
    for number in range(50):
        assert names_of(known.of(FakeCall([LOBBY, f"pod-{number}"]))) == [("g0", "lobby")]
        assert names_of(known.of(FakeCall([f"pod-{number}"]))) == [("g0", "anyone")]
    assert len(known._by_certificate) <= 8
    assert len(known._by_peer) <= 8


def test_dns_names_of_another_certificate_are_never_taken_for_uris() -> None:
    class Certificate(FakeCall):
        def __init__(self, uris: list[bytes], names: list[bytes]) -> None:
            super().__init__()
            self._properties = {"peer_uri": uris, "peer_dns": names}

        def auth_context(self) -> Mapping[str, Sequence[bytes]]:
            return self._properties

    known = book(LOBBY_ONLY)
    assert known.of(Certificate([b"", LOBBY.encode()], [])).caller is not None
    with pytest.raises(Unrecognised):
        known.of(Certificate([], [LOBBY.encode(), b""]))
