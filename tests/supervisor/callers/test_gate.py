"""The gate: what each caller may do, what it has to pay, and what is counted and logged about refusals."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mesh.errors import MeshError, NotAllowed, OverQuota, Unauthenticated
from supervisor.callers.game_callers import GameCallers
from supervisor.callers.gate import CallerGate, Rpc
from supervisor.callers.metrics import CallerMetrics
from supervisor.callers.stream_caller import StreamCaller
from tests.supervisor.callers.fake_call import LOBBY, SHOP, TOKEN, FakeCall, callers_of, with_token

CALL = FakeCall([LOBBY])


@dataclass
class FakeGame:
    name: str
    callers: GameCallers | None

    @property
    def catalog(self) -> Any:
        return SimpleNamespace(game=self.name)


@dataclass
class Gate:
    """A gate in front of games, and a clock that a test moves."""

    now_s: float = 0.0
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    counted: CollectorRegistry = field(default_factory=CollectorRegistry)
    games: dict[str, FakeGame] = field(default_factory=dict)
    gate: CallerGate = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = CallerMetrics(self.counted)
        self.gate = CallerGate(self.games, self.metrics, has_tls=True, clock=lambda: self.now_s)

    def set(self, **games: dict[str, Any] | None) -> Gate:
        for name, blocks in games.items():
            before = self.games[name].callers if name in self.games else None
            callers = None if blocks is None else GameCallers(name, _parsed(blocks), self.metrics, before)
            self.games[name] = FakeGame(name, callers)
        self.gate.refresh()
        return self

    def ask(self, rpc: Rpc = "GetOffer", game: str = "g", version: str = "", call: FakeCall = CALL) -> str | None:
        """Sends a unary request; returns the name of its caller."""
        admission = self.gate.admit(call, rpc)
        caller = self.gate.enter(self.games[game], admission, rpc, version)
        return caller.name if caller is not None else None

    def count(self, caller: str, outcome: str, game: str = "g") -> float:
        labels = {"game": game, "caller": caller, "outcome": outcome}
        return self.counted.get_sample_value("mesh_caller_requests_total", labels) or 0.0


def _parsed(blocks: dict[str, Any]) -> Any:
    return {one.name: one.rights for one in callers_of(blocks)}


def gate(**games: dict[str, Any] | None) -> Gate:
    return Gate().set(**games)


def refusal(ask: Any) -> MeshError:
    with pytest.raises(MeshError) as caught:
        ask()
    return caught.value


def test_without_callers_everybody_may_do_everything_and_nothing_is_counted() -> None:
    opened = gate(g=None)
    assert opened.gate.is_open
    assert opened.ask(call=with_token("any")) is None
    assert not [sample for metric in opened.counted.collect() for sample in metric.samples]


def test_unknown_peer_is_refused_before_its_request_is_read_and_counted_without_its_name() -> None:
    closed = gate(g={"lobby": {"names": [LOBBY]}})
    assert isinstance(refusal(lambda: closed.gate.admit(FakeCall([SHOP]), "GetOffer")), Unauthenticated)
    assert closed.count("(unknown)", "unknown") == 1
    closed.set(h={"lobby": {"names": [LOBBY]}})
    refusal(lambda: closed.gate.admit(FakeCall([SHOP]), "GetOffer"))
    assert closed.count("(unknown)", "unknown", game="") == 1


@pytest.mark.parametrize(
    ("rpc", "allowed"),
    [("GetOffer", False), ("StreamOffers", False), ("Score", True), ("ReportOutcome", True), ("StreamOutcomes", True)],
)
def test_method_that_no_game_allows_is_refused_before_the_request_is_read(rpc: Rpc, allowed: bool) -> None:
    closed = gate(
        g={"lobby": {"names": [LOBBY], "methods": ["Score"]}},
        h={"lobby": {"names": [LOBBY], "methods": ["ReportOutcome"]}},
    )
    if allowed:
        assert closed.gate.admit(CALL, rpc) is not None
    else:
        assert isinstance(refusal(lambda: closed.gate.admit(CALL, rpc)), NotAllowed)
        assert closed.count("lobby", "not-allowed") == 1


def test_method_must_be_allowed_by_the_game_that_the_request_names() -> None:
    closed = gate(g={"lobby": {"names": [LOBBY], "methods": ["Score"]}}, h={"lobby": {"names": [LOBBY]}})
    assert closed.ask("GetOffer", game="h") == "lobby"
    assert isinstance(refusal(lambda: closed.ask("GetOffer", game="g")), NotAllowed)


def test_caller_of_one_game_may_not_ask_for_another() -> None:
    closed = gate(g={"lobby": {"names": [LOBBY]}}, h={"shop": {"names": [SHOP]}})
    assert refusal(lambda: closed.ask(game="h")).reason == "game: caller lobby is not a caller of h"
    assert closed.count("lobby", "not-allowed") == 1


def test_game_without_callers_stays_open_beside_a_game_with_callers() -> None:
    mixed = gate(g={"lobby": {"names": [LOBBY]}}, h=None)
    assert mixed.ask(game="h", call=FakeCall([SHOP])) is None
    assert isinstance(refusal(lambda: mixed.ask(game="g", call=FakeCall([SHOP]))), NotAllowed)
    assert mixed.count("(unknown)", "not-allowed") == 1


def test_pins_are_the_versions_that_a_caller_may_name() -> None:
    closed = gate(g={"lobby": {"names": [LOBBY], "pins": ["v1"]}, "shop": {"names": [SHOP]}})
    assert [closed.ask(version=version) for version in ("", "v1")] == ["lobby", "lobby"]
    assert isinstance(refusal(lambda: closed.ask(version="v2")), NotAllowed)
    assert closed.ask(version="v2", call=FakeCall([SHOP])) == "shop"


def test_quota_is_taken_once_a_request_before_the_request_is_read() -> None:
    closed = gate(g={"lobby": {"names": [LOBBY], "requests_per_s": 4, "burst": 2}})
    assert [closed.ask(), closed.ask("Score")] == ["lobby", "lobby"]
    over = refusal(lambda: closed.gate.admit(CALL, "ReportOutcome"))
    assert isinstance(over, OverQuota)
    assert over.retry_after_s == 0.25
    assert over.reason == "over quota: caller lobby may send 4 requests/s for g; send the next one in 250 ms"
    assert closed.count("lobby", "over-quota") == 1
    closed.now_s += over.retry_after_s
    assert closed.ask() == "lobby"


def test_quota_of_a_caller_of_two_games_is_taken_when_the_game_is_known() -> None:
    lobby = {"lobby": {"names": [LOBBY], "requests_per_s": 1}}
    closed = gate(g=lobby, h=lobby)
    assert [closed.ask(game="g"), closed.ask(game="h")] == ["lobby", "lobby"]
    assert closed.gate.admit(CALL, "GetOffer") is not None
    assert isinstance(refusal(lambda: closed.ask(game="g")), OverQuota)


def test_each_request_of_a_stream_counts() -> None:
    closed = gate(g={"lobby": {"names": [LOBBY], "requests_per_s": 1, "burst": 2}})
    stream = StreamCaller(closed.gate, CALL, "StreamOffers")
    assert [stream.enter(closed.games["g"]) is not None for _ in range(2)] == [True, True]
    assert isinstance(refusal(lambda: stream.enter(closed.games["g"])), OverQuota)


def test_quota_survives_a_change_of_the_catalog_that_does_not_touch_it() -> None:
    limited = {"names": [LOBBY], "requests_per_s": 1}
    closed = gate(g={"lobby": limited})
    closed.ask()
    closed.set(g={"shop": {"names": [SHOP]}, "lobby": {**limited, "methods": ["GetOffer"]}})
    assert isinstance(refusal(closed.ask), OverQuota)
    closed.set(g={"lobby": {**limited, "burst": 5}})
    assert closed.ask() == "lobby"


def test_open_stream_follows_the_rights_of_its_caller() -> None:
    changing = gate(g=None)
    stream = StreamCaller(changing.gate, CALL, "StreamOffers")
    assert stream.enter(changing.games["g"]) is None
    for blocks, expected in (
        ({"lobby": {"names": [LOBBY]}}, "lobby"),
        ({"front": {"names": [LOBBY]}}, "front"),
        ({"front": {"names": [LOBBY], "methods": ["Score"]}}, None),
        ({"shop": {"names": [SHOP]}}, None),
        ({"lobby": {"names": [LOBBY]}}, "lobby"),
    ):
        changing.set(g=blocks)
        if expected is None:
            assert isinstance(refusal(lambda: stream.enter(changing.games["g"])), NotAllowed)
        else:
            caller = stream.enter(changing.games["g"])
            assert caller is not None
            assert caller.name == expected


def test_streams_of_strangers_share_their_turns_beside_games_with_callers() -> None:
    changing = gate(g={"lobby": {"names": [LOBBY]}}, h=None)
    peers = (FakeCall([LOBBY]), FakeCall([SHOP]), FakeCall())
    assert [StreamCaller(changing.gate, one, "StreamOffers").name for one in peers] == ["lobby", "", ""]
    everybody = gate(g=None, h=None)
    assert StreamCaller(everybody.gate, CALL, "StreamOffers").name is None


def test_stream_of_a_peer_that_the_first_catalog_with_callers_does_not_name_is_refused() -> None:
    changing = gate(g=None)
    stream = StreamCaller(changing.gate, CALL, "StreamOffers")
    changing.set(g={"shop": {"names": [SHOP]}})
    assert isinstance(refusal(lambda: stream.enter(changing.games["g"])), Unauthenticated)


def test_refusals_are_logged_at_a_bounded_rate_without_tokens_and_with_escaped_names(
    caplog: pytest.LogCaptureFixture,
) -> None:
    closed = gate(g={"lobby": {"names": [LOBBY], "requests_per_s": 1}})
    evil = FakeCall(["x\nERROR supervisor: forged \x1b[31m\u202e" + "y" * 1000])
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            refusal(lambda: closed.gate.admit(evil, "GetOffer"))
            refusal(lambda: closed.gate.admit(with_token("not-for-logs"), "Score"))
        closed.ask()
        refusal(closed.ask)
        closed.now_s += 10.0
        refusal(lambda: closed.gate.admit(evil, "GetOffer"))
    lines = caplog.messages
    assert len(lines) == 4
    assert lines[0].startswith(
        "refused (unknown peer): GetOffer of 'ipv4:192.0.2.1:4711', names in its certificate: 'x\\n"
    )
    assert lines[1].startswith("refused (wrong token): Score of 'ipv4:192.0.2.1:4711', no names of a certificate")
    assert lines[2] == "refused (over quota, g/lobby): caller lobby may send 1 requests/s for g"
    assert lines[3].endswith("(and 99 more calls like it since the last line)")
    assert all(line.isascii() and line.isprintable() and len(line) < 500 for line in lines)
    assert not [line for line in lines if TOKEN in line or "not-for-logs" in line]
