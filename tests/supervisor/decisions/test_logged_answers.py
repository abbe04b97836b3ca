"""The log of a real supervisor with fake replicas: each answer has one row, which equals the response."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mesh.decisions.log import Log, open_log
from mesh.errors import Misconfigured, Unavailable
from mesh.model_file import ModelHeader
from mesh.wire import offers_pb2 as wire
from supervisor.decisions.logs import DecisionLogs
from supervisor.decisions.version_log import hashed
from supervisor.features.port import StoreRead
from supervisor.features.sqlite import SqliteStore
from tests.supervisor.backend import BIASES, COLUMNS, MODELS, ask, backend
from tests.supervisor.replica import scores_reply, silent

KEY = "secret"
Row = dict[str, Any]
STAGES = ("queue_ms", "features_ms", "fan_out_ms", "combine_ms", "total_ms")


def new_logs(**environment: str) -> DecisionLogs:
    return DecisionLogs({"MESH_PLAYER_KEY": KEY, **environment}, ["--log-level", "warning"])


def opened(folder: Path) -> Log:
    return open_log(str(folder / "log"))


def rows_of(folder: Path) -> dict[str, Row]:
    """The logged answers by their id, each once."""
    with opened(folder) as log:
        rows = log.read(log.decisions("g")).to_pylist()
    assert len({row["decision_id"] for row in rows}) == len(rows)
    return {row["decision_id"]: row for row in rows}


def assert_equals(row: Row, response: Any) -> None:
    """The row describes the response."""
    assert row["source"] == wire.Source.Name(response.source)
    for name in ("version", "version_digest", "request_id", "decision_id"):
        assert (row[name] or "") == getattr(response, name), name
    assert row["unknown_player"] == response.unknown_player
    reason = f"{row['reason']}: {row['detail']}" if row["reason"] else ""
    assert reason == response.reason
    assert (row["missing_models"] or []) == [one.model for one in response.missing_models]
    assert (row["missing_inputs"] or []) == list(response.missing_inputs)
    assert (row["last_model"] or "") == response.timings.last_model
    for stage in STAGES:
        assert row[stage] == np.float32(getattr(response.timings, stage)), stage
    if isinstance(response, wire.ScoreResponse):
        assert (row["method"], row["offers"]) == ("Score", [response.offer_id])
        assert row["score"] == (response.score if response.HasField("score") else None)
        return
    assert (row["method"], row["offers"]) == ("GetOffer", [offer.offer_id for offer in response.offers])
    for offer in response.offers:
        if offer.HasField("score"):
            place = row["candidates"].index(offer.offer_id)
            assert (row["scores"][place], row["revenues"][place]) == (offer.score, offer.expected_revenue)


async def test_each_answer_has_one_row_that_equals_the_response(tmp_path: Path) -> None:
    context = {"minutes": wire.ContextValue(number=3.0)}
    async with backend(tmp_path, logs=new_logs(), holdout=20, decisions="{to: log, flush_s: 1}") as running:
        kinds: list[dict[str, Any]] = [
            {},
            {"limit": 2, "context": context},
            {"offer_ids": ["silver", "gold"]},
            {"version": "v1"},
        ]
        asked = [
            running.stub.GetOffer(ask(player_id=f"p{number % 6}", request_id=f"r{number}", **fields), timeout=20)
            for number, fields in enumerate(kinds * 8)
        ]
        asked += [
            running.stub.Score(wire.ScoreRequest(game="g", player_id="p1", offer_id=offer), timeout=20)
            for offer in ("", "gold")
        ]
        hurried = running.stub.GetOffer(ask(player_id="p2"), timeout=0.0101)
        responses = await asyncio.gather(*asked)
        await asyncio.gather(hurried, return_exceptions=True)
    rows = rows_of(tmp_path)
    assert {response.decision_id for response in responses} <= rows.keys()
    for response in responses:
        assert_equals(rows[response.decision_id], response)
    assert {row["reason"] for row in rows.values()} >= {None, "holdout"}


async def test_rows_candidates_and_votes_are_those_that_made_the_answer(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log}") as running:
        whole = await running.offer(context={"minutes": wire.ContextValue(number=0.1)}, limit=3)
        some = await running.offer(player_id="p2", offer_ids=["silver", "gold"], limit=2)
    rows = rows_of(tmp_path)
    first, second = rows[whole.decision_id], rows[some.decision_id]
    assert (first["candidates"], second["candidates"]) == (["starter", "gold", "silver"], ["silver", "gold"])
    (shared,) = first["rows"]
    assert shared["values"][:2] == [1.0, 0.1]
    assert math.isnan(shared["values"][2])
    assert first["votes"] == [1.0 + 0.1 + price + bias for price in (1, 4, 2) for bias in BIASES]
    with opened(tmp_path) as log:
        ensemble = log.ensemble("g", first["ensemble"])
        assert [model["name"] for model in ensemble["models"]] == list(MODELS)
        assert ensemble["version_digest"] == whole.version_digest
        layout = log.layout("g", shared["layout"])
        assert (layout["features"], layout["offer_features"]) == (["level", "minutes", "price"], ["price"])
        offers = log.offers("g", ensemble["offers"])
        assert offers["features"][shared["layout"]]["price"] == [1.0, 4.0, 2.0]


async def test_vote_that_is_missing_in_an_answer_is_null_in_its_row(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log}") as running:
        running.replicas[2].respond = silent
        hurried = await running.offer(timeout_s=1.0)
    row = rows_of(tmp_path)[hurried.decision_id]
    assert_equals(row, hurried)
    assert (row["source"], row["missing_models"]) == ("PARTIAL", ["m2"])
    assert [vote is None for vote in row["votes"]] == [False, False, True] * 3


async def test_answer_without_a_quorum_has_the_votes_but_no_scores(tmp_path: Path) -> None:
    async with backend(tmp_path, models=1, logs=new_logs(), decisions="{to: log}") as running:
        response = await running.offer()
    row = rows_of(tmp_path)[response.decision_id]
    assert_equals(row, response)
    assert (row["reason"], row["scores"], row["propensity"]) == ("quorum", None, None)


@pytest.mark.parametrize(
    ("votes", "kept"), [("all", [True, True, True]), ("top", [False, True, False]), ("none", None)]
)
async def test_votes_are_those_that_the_catalog_wants(tmp_path: Path, votes: str, kept: list[bool] | None) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions=f"{{to: log, votes: {votes}}}") as running:
        await running.offer(limit=1)
    (row,) = rows_of(tmp_path).values()
    gold = [5.0, 5.25, 5.5]
    if kept is None:
        assert row["votes"] is None
    elif all(kept):
        assert row["votes"][3:6] == gold
    else:
        assert row["votes"] == [None, None, None, *gold, None, None, None]


async def test_excluded_columns_and_features_are_empty(tmp_path: Path) -> None:
    block = "{to: log, exclude: [request_id, player, level, platform]}"
    context = {"platform": wire.ContextValue(text="ios"), "minutes": wire.ContextValue(number=2.0)}
    async with backend(tmp_path, logs=new_logs(), decisions=block) as running:
        await running.offer(request_id="r", context=context)
    (row,) = rows_of(tmp_path).values()
    assert (row["request_id"], row["player"]) == (None, None)
    assert json.loads(row["context"]) == {"minutes": 2.0}
    level, minutes, _ = row["rows"][0]["values"]
    assert math.isnan(level)
    assert minutes == 2.0


async def test_excluded_context_and_rows(tmp_path: Path) -> None:
    block = "{to: log, exclude: [context], features: false}"
    async with backend(tmp_path, logs=new_logs(), decisions=block) as running:
        await running.offer(context={"minutes": wire.ContextValue(number=2.0)})
    (row,) = rows_of(tmp_path).values()
    assert (row["context"], row["rows"]) == (None, None)


async def test_hashed_players_have_the_same_hash_in_each_row(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log, players: hashed}") as running:
        await asyncio.gather(*(running.offer() for _ in range(3)))
    assert {row["player"] for row in rows_of(tmp_path).values()} == {hashed(KEY.encode(), "p1")}


async def test_hashed_players_without_a_key_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as error:
        async with backend(
            tmp_path, logs=DecisionLogs({}, ["--log-level", "info"]), decisions="{to: log, players: hashed}"
        ):
            pass
    assert error.value.faults == [
        "g: decisions.players: is hashed, but the supervisor's environment has no MESH_PLAYER_KEY; "
        "set it to a secret text, the same on every supervisor"
    ]


async def test_sample_has_always_the_same_players(tmp_path: Path) -> None:
    players = [f"p{number}" for number in range(40)]
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log, sample: 50}") as running:
        for _ in range(2):
            await asyncio.gather(*(running.offer(player_id=player) for player in players))
    logged = [row["player"] for row in rows_of(tmp_path).values()]
    assert 8 <= len(set(logged)) <= 32
    assert all(logged.count(player) == 2 for player in logged)


async def test_logged_values_have_the_bits_of_the_votes(tmp_path: Path) -> None:
    odd = [0.1 + 0.2, math.nextafter(1.0, 2.0), -1e-308]
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log}") as running:
        for one in running.replicas:
            one.respond = lambda request: [scores_reply(request, odd)]
        response = await running.offer(limit=3)
    (row,) = rows_of(tmp_path).values()
    assert struct.pack("<9d", *row["votes"]) == struct.pack("<9d", *np.repeat(odd, 3))
    assert_equals(row, response)


async def test_excluded_context_is_not_in_the_rows(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log, exclude: [context]}") as running:
        await running.offer(context={"minutes": wire.ContextValue(number=2.0)})
    (row,) = rows_of(tmp_path).values()
    level, minutes, _ = row["rows"][0]["values"]
    assert (row["context"], level) == (None, 1.0)
    assert math.isnan(minutes)
    with opened(tmp_path) as log:
        assert log.ensemble("g", row["ensemble"])["excluded"] == ["minutes", "platform", "weekend"]


async def test_excluded_feature_of_the_offers_is_in_no_file(tmp_path: Path) -> None:
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log, exclude: [price]}") as running:
        await running.offer()
    (row,) = rows_of(tmp_path).values()
    with opened(tmp_path) as log:
        offers = log.offers("g", log.ensemble("g", row["ensemble"])["offers"])
    assert offers["features"] == {row["rows"][0]["layout"]: {"price": [None, None, None]}}


@pytest.mark.parametrize(
    ("block", "hides"), [("players: hashed", True), ("exclude: [level]", True), ("sample: 100", False)]
)
async def test_error_of_the_store_names_no_hidden_player(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str, hides: bool
) -> None:
    async def read(*_: object) -> StoreRead:
        return StoreRead(COLUMNS, {}, {"p1": Unavailable("player 'p1': level is 'x', not a number")})

    monkeypatch.setattr(SqliteStore, "read", read)
    async with backend(tmp_path, logs=new_logs(), decisions=f"{{to: log, {block}}}") as running:
        response = await running.offer()
    (row,) = rows_of(tmp_path).values()
    assert row["reason"] == "features"
    assert "'p1'" in response.reason
    assert row["detail"] == (None if hides else response.reason.removeprefix("features: "))


async def test_infinite_number_of_an_offer_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.supervisor.backend.OFFERS_CSV", "offer_id,price,size\nstarter,1,1e999\ngold,4,2\n")
    monkeypatch.setattr("tests.supervisor.backend.HEADER", ModelHeader(("level", "size"), {}, "binary", 1, 10))
    async with backend(tmp_path, logs=new_logs(), decisions="{to: log}") as running:
        for one in running.replicas:
            one.respond = lambda request: [scores_reply(request, [1.0, 2.0])]
        await running.offer()
    (row,) = rows_of(tmp_path).values()
    with opened(tmp_path) as log:
        offers = log.offers("g", log.ensemble("g", row["ensemble"])["offers"])
    assert offers["features"] == {row["rows"][0]["layout"]: {"size": [math.inf, 2.0]}}
