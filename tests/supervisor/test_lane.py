"""A model's pool with real lanes to replicas that answer as the test tells them."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from mesh.catalog.catalog import Model
from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources
from mesh.errors import Overloaded
from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from mesh.wire import inference_pb2 as oip
from supervisor.ballot import Ballot
from supervisor.lane import read_reply
from supervisor.panel import Panel, ask_panel
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows, Passenger, RowPlanner
from tests.supervisor.replica import (
    FactoredSums,
    Replica,
    Respond,
    error_reply,
    replica,
    rows_of,
    scores_reply,
    silent,
    sums,
    taking_replica,
    until,
)

COLUMNS = Columns(("level", "spend"), ())
HEADER = ModelHeader(("level", "spend"), {}, "binary", 1, 10)
THREE_CLASSES = replace(HEADER, objective="multiclass", classes=3)
SHA = "a" * 64
WITHIN_S = 20.0


@asynccontextmanager
async def pool_of(*replicas: Replica, **model: object) -> AsyncIterator[ModelPool]:
    """A pool whose lanes lead to `replicas`; nothing is up yet."""
    named = Model.model_validate({"name": "m", "uri": "m.txt", **model})
    pool = ModelPool(named, RowPlanner(Sources(COLUMNS, {}, None)), COLUMNS, lambda _: None)
    pool.assign([one.address for one in replicas])
    try:
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), WITHIN_S)


@asynccontextmanager
async def one_replica(
    respond: Respond | None = None, header: ModelHeader = HEADER, **model: object
) -> AsyncIterator[tuple[ModelPool, Replica]]:
    """A pool with one replica whose lane is up."""
    async with replica(header, respond) as played, pool_of(played, **model) as pool:
        await until(lambda: states(pool) == ["up"])
        yield pool, played


def states(pool: ModelPool) -> list[str]:
    return [lane.state for lane in pool.lanes.values()]


def why_down(pool: ModelPool) -> list[str]:
    return [lane.why_down for lane in pool.lanes.values()]


@dataclass(frozen=True)
class Vote:
    """The model voted on every row."""

    model: str


@dataclass(frozen=True)
class Absence:
    """The model did not vote on every row."""

    model: str
    reason: str


Verdict = Vote | Absence


class Ask:
    """One cohort's question to one pool."""

    def __init__(self, pool: ModelPool, levels: Sequence[float]) -> None:
        players = [PlayerFeatures(struct.pack("<2d", level, 0.0), (), 0.0) for level in levels]
        self.rows = CohortRows(COLUMNS, players, [Passenger({}, ())] * len(levels))
        self.ballot = Ballot(["m"], len(levels), 1, lambda: None)
        self.pool = pool

    async def verdict(self) -> Verdict:
        deadline_s = time.monotonic() + WITHIN_S
        async with asyncio.timeout(WITHIN_S):
            await ask_panel(Panel((self.pool,)), self.rows, COLUMNS, self.ballot, deadline_s)
        (reason,) = self.ballot.reasons
        return Vote("m") if reason is None else Absence("m", reason)

    @property
    def votes(self) -> list[float]:
        votes: list[float] = self.ballot.votes[0].tolist()
        return votes


async def test_a_lane_goes_up_and_carries_votes() -> None:
    async with one_replica(sums(0.5)) as (pool, _):
        ask = Ask(pool, [1.0, 2.0])
        assert await ask.verdict() == Vote("m")
        assert ask.votes == [1.5, 2.5]


async def test_replies_are_matched_by_id_in_any_order() -> None:
    async with one_replica(silent) as (pool, played):
        asks = [Ask(pool, [float(level)]) for level in range(4)]
        verdicts = [asyncio.create_task(ask.verdict()) for ask in asks]
        requests = [await asyncio.wait_for(played.received.get(), WITHIN_S) for _ in asks]
        for request in reversed(requests):
            played.say(scores_reply(request, rows_of(request)[:, 0]))
        assert await asyncio.gather(*verdicts) == [Vote("m")] * 4
        assert [ask.votes for ask in asks] == [[0.0], [1.0], [2.0], [3.0]]


async def test_the_time_that_is_left_goes_with_the_rows() -> None:
    async with one_replica() as (pool, played):
        await Ask(pool, [1.0]).verdict()
        request = await asyncio.wait_for(played.received.get(), WITHIN_S)
        assert 0 < request.parameters["timeout"].int64_param <= WITHIN_S * 1e6


async def test_an_error_message_is_an_absence_with_its_reason() -> None:
    async with one_replica(lambda request: [error_reply(request, "the row is wrong")]) as (pool, _):
        assert await Ask(pool, [1.0]).verdict() == Absence("m", "the row is wrong")
        assert states(pool) == ["up"]


@pytest.mark.parametrize("scores", [[], [0.5], [0.5] * 3], ids=["none", "too few", "too many"])
async def test_a_wrong_number_of_scores_is_an_absence(scores: list[float]) -> None:
    async with one_replica(lambda request: [scores_reply(request, scores)]) as (pool, _):
        assert isinstance(await Ask(pool, [1.0, 2.0]).verdict(), Absence)


async def test_bytes_that_are_no_numbers_are_an_absence() -> None:
    def half(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
        reply = scores_reply(request, [0.5])
        reply.infer_response.raw_output_contents[0] = b"12345"
        return [reply]

    async with one_replica(half) as (pool, _):
        assert isinstance(await Ask(pool, [1.0]).verdict(), Absence)


async def test_a_reply_without_output_is_an_absence() -> None:
    def empty(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
        return [oip.ModelStreamInferResponse(infer_response=oip.ModelInferResponse(id=request.id))]

    async with one_replica(empty) as (pool, _):
        assert isinstance(await Ask(pool, [1.0]).verdict(), Absence)


async def test_a_score_that_is_no_number_is_an_absence() -> None:
    async with one_replica(lambda request: [scores_reply(request, [math.nan])]) as (pool, _):
        assert await Ask(pool, [1.0]).verdict() == Absence("m", "a score is NaN")


async def test_several_scores_a_row_without_a_class_are_an_absence() -> None:
    async with one_replica(lambda request: [scores_reply(request, [0.1, 0.9])]) as (pool, _):
        assert isinstance(await Ask(pool, [1.0]).verdict(), Absence)


async def test_the_class_of_the_catalog_is_the_score() -> None:
    respond: Respond = lambda request: [scores_reply(request, [0.1, 0.2, 0.7, 0.3, 0.3, 0.4])]  # noqa: E731
    async with one_replica(respond, THREE_CLASSES, **{"class": 2}) as (pool, _):
        ask = Ask(pool, [1.0, 2.0])
        assert await ask.verdict() == Vote("m")
        assert ask.votes == [0.7, 0.4]


@pytest.mark.parametrize("outputs", [1, 2])
async def test_fewer_scores_a_row_than_classes_are_an_absence(outputs: int) -> None:
    respond: Respond = lambda request: [scores_reply(request, [0.1] * 2 * outputs)]  # noqa: E731
    async with one_replica(respond, THREE_CLASSES, **{"class": 2}) as (pool, _):
        assert isinstance(await Ask(pool, [1.0, 2.0]).verdict(), Absence)


async def test_an_answer_to_nobody_hurts_nobody() -> None:
    def twice(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
        stray = oip.ModelStreamInferResponse(infer_response=oip.ModelInferResponse(id="stray"))
        return [stray, scores_reply(request, [0.5]), scores_reply(request, [0.9])]

    async with one_replica(twice) as (pool, _):
        for _ in range(2):
            ask = Ask(pool, [1.0])
            assert await ask.verdict() == Vote("m")
            assert ask.votes == [0.5]


async def test_a_stream_that_ends_costs_the_votes_and_the_lane_comes_back() -> None:
    async with one_replica(lambda _: [None]) as (pool, played):
        assert isinstance(await Ask(pool, [1.0]).verdict(), Absence)
        played.respond = sums()
        await until(lambda: played.streams == 2 and states(pool) == ["up"])
        assert await Ask(pool, [1.0]).verdict() == Vote("m")


async def test_a_replica_that_restarts_is_found_again() -> None:
    async with replica(HEADER) as first, pool_of(first) as pool:
        await until(lambda: states(pool) == ["up"])
        port = int(first.address.rpartition(":")[2])
        async with _gone_and_back(first, pool, port):
            assert await Ask(pool, [1.0]).verdict() == Vote("m")


@asynccontextmanager
async def _gone_and_back(first: Replica, pool: ModelPool, port: int) -> AsyncIterator[None]:
    await first.stop()
    await until(lambda: states(pool) == ["down"])
    assert isinstance(await Ask(pool, [1.0]).verdict(), Absence)
    async with replica(HEADER, port=port):
        await until(lambda: states(pool) == ["up"])
        yield


async def test_without_a_replica_the_absence_is_immediate() -> None:
    async with pool_of() as pool:
        assert await Ask(pool, [1.0]).verdict() == Absence("m", "no replica is known")


async def test_a_replica_that_is_not_there_is_told_of() -> None:
    async with replica(HEADER) as played:
        await played.stop()
        async with pool_of(played) as pool:
            await until(lambda: states(pool) == ["down"] and why_down(pool) != ["connecting"])
            assert isinstance(await Ask(pool, [1.0]).verdict(), Absence)


GARBAGE = {
    "no message at all": b"\xff\xff\xff",
    "no properties": oip.ModelMetadataResponse(name="m"),
    "properties that are no JSON": oip.ModelMetadataResponse(properties=dict.fromkeys(("feature_names", "trees"), "{")),
}


@pytest.mark.parametrize(
    "metadata",
    [
        GARBAGE["no message at all"],
        GARBAGE["no properties"],
        GARBAGE["properties that are no JSON"],
    ],
    ids=GARBAGE.keys(),
)
async def test_a_replica_with_garbage_for_metadata_is_refused_until_it_makes_sense(
    metadata: oip.ModelMetadataResponse | bytes,
) -> None:
    async with replica(HEADER) as played:
        good, played.metadata = played.metadata, metadata
        async with pool_of(played) as pool:
            await until(lambda: states(pool) == ["down"])
            played.metadata = good
            await until(lambda: states(pool) == ["up"], within_s=2.5)
            assert await Ask(pool, [1.0]).verdict() == Vote("m")


async def test_garbage_on_the_stream_costs_the_votes_and_the_lane_comes_back() -> None:
    async with one_replica(lambda _: [b"\xff\xff\xff"]) as (pool, played):
        assert isinstance(await Ask(pool, [1.0]).verdict(), Absence)
        played.respond = sums()
        await until(lambda: states(pool) == ["up"], within_s=2.5)
        assert await Ask(pool, [1.0]).verdict() == Vote("m")


async def test_a_sister_with_another_model_is_refused() -> None:
    async with replica(HEADER) as one, replica(replace(HEADER, trees=11)) as other, pool_of(one) as pool:
        await until(lambda: states(pool) == ["up"])
        pool.assign([one.address, other.address])
        await until(lambda: "another model file" in pool.lanes[other.address].why_down)
        assert states(pool)[0] == "up"


async def test_a_sister_with_a_retrained_model_of_the_same_shape_is_refused() -> None:
    async with replica(HEADER, sha256=SHA) as one, replica(HEADER, sha256="b" * 64) as other, pool_of(one) as pool:
        await until(lambda: states(pool) == ["up"])
        pool.assign([one.address, other.address])
        await until(lambda: pool.lanes[other.address].state in ("up", "down"))
        assert pool.lanes[other.address].state == "down"


async def test_a_replica_of_another_file_than_the_catalogs_is_refused() -> None:
    async with replica(HEADER, sha256="b" * 64) as played, pool_of(played, sha256=SHA) as pool:
        await until(lambda: "sha256" in why_down(pool)[0])
        assert states(pool) == ["down"]


async def test_a_replica_of_the_catalogs_file_is_taken() -> None:
    async with replica(HEADER, sha256=SHA) as played, pool_of(played, sha256=SHA) as pool:
        await until(lambda: states(pool) == ["up"])


@pytest.mark.parametrize(
    ("header", "model"), [(THREE_CLASSES, {}), (THREE_CLASSES, {"class": 3}), (HEADER, {"class": 0})]
)
async def test_a_class_that_does_not_fit_the_model_is_refused(header: ModelHeader, model: dict[str, int]) -> None:
    async with replica(header) as played, pool_of(played, **model) as pool:
        await until(lambda: why_down(pool)[0].startswith("class"))
        assert states(pool) == ["down"]


async def test_a_model_that_cannot_be_fed_is_refused() -> None:
    async with replica(replace(HEADER, feature_names=("level", "ghost"))) as played, pool_of(played) as pool:
        await until(lambda: "'ghost'" in why_down(pool)[0])
        assert "'ghost'" in str(await Ask(pool, [1.0]).verdict())


async def test_rows_of_a_replica_that_ends_its_stream_go_to_its_sister() -> None:
    async with replica(HEADER, silent) as mute, replica(HEADER) as good, pool_of(mute) as pool:
        await until(lambda: states(pool) == ["up"])
        verdict = asyncio.create_task(Ask(pool, [1.0]).verdict())
        await asyncio.wait_for(mute.received.get(), WITHIN_S)
        pool.assign([mute.address, good.address])
        await until(lambda: pool.lanes[good.address].state == "up")
        mute.say(None)
        assert await verdict == Vote("m")


async def test_a_closed_ballot_waits_for_nobody_and_the_late_reply_is_dropped() -> None:
    async with one_replica(silent) as (pool, played):
        ask = Ask(pool, [1.0])
        verdict = asyncio.create_task(ask.verdict())
        request = await asyncio.wait_for(played.received.get(), WITHIN_S)
        ask.ballot.close()
        assert await verdict == Absence("m", "no vote in time")
        played.say(scores_reply(request, [0.5]))
        await until(lambda: pool.outstanding_rows == 0)
        assert math.isnan(ask.votes[0])


async def test_a_caller_that_leaves_costs_the_lane_nothing() -> None:
    async with one_replica(silent) as (pool, played):
        verdict = asyncio.create_task(Ask(pool, [1.0]).verdict())
        request = await asyncio.wait_for(played.received.get(), WITHIN_S)
        verdict.cancel()
        with pytest.raises(asyncio.CancelledError):
            await verdict
        played.say(scores_reply(request, [0.5]))
        played.respond = sums()
        assert await Ask(pool, [1.0]).verdict() == Vote("m")
        assert (states(pool), played.streams) == (["up"], 1)


def test_a_refusal_for_want_of_room_is_told_as_one() -> None:
    reply = oip.ModelStreamInferResponse(error_message="full")
    reply.infer_response.parameters["code"].string_param = "RESOURCE_EXHAUSTED"
    assert isinstance(read_reply(reply, 1), Overloaded)


OFFERS = OffersTable(("a", "b", "c"), {"a": 0, "b": 1, "c": 2}, None, {"price": (1.0, 4.0, 2.0)}, {})
SELLING = ModelHeader(("level", "price"), {}, "binary", 1, 10)


class AskAboutOffers(Ask):
    """A question about the whole table, for players of `levels`."""

    def __init__(self, pool: ModelPool, levels: Sequence[float]) -> None:
        super().__init__(pool, levels)
        players = [PlayerFeatures(struct.pack("<2d", level, 0.0), (), 0.0) for level in levels]
        self.rows = CohortRows(COLUMNS, players, [Passenger({}, range(3))] * len(levels))
        self.ballot = Ballot(["m"], 3 * len(levels), 1, lambda: None)


@asynccontextmanager
async def selling_pool(*replicas: Replica) -> AsyncIterator[ModelPool]:
    """A pool whose lanes to `replicas` are up."""
    planner = RowPlanner(Sources(COLUMNS, {}, OFFERS))
    pool = ModelPool(Model(name="m", uri="m.txt"), planner, COLUMNS, lambda _: None)
    pool.assign([one.address for one in replicas])
    try:
        await until(lambda: set(states(pool)) == {"up"})
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), WITHIN_S)


async def tensors(played: Replica) -> list[str]:
    """The names of the inputs of the next message that came in."""
    request = await asyncio.wait_for(played.received.get(), WITHIN_S)
    return [tensor.name for tensor in request.inputs]


async def asked(pool: ModelPool, *levels: float) -> list[float]:
    """The votes on every offer for players of `levels`."""
    ask = AskAboutOffers(pool, levels)
    assert await ask.verdict() == Vote("m")
    return ask.votes


async def test_candidates_go_over_a_stream_once() -> None:
    async with taking_replica(SELLING, FactoredSums()) as played, selling_pool(played) as pool:
        assert await asked(pool, 1.0) == [2.0, 5.0, 3.0]
        assert await asked(pool, 2.0, 3.0) == [3.0, 6.0, 4.0, 4.0, 7.0, 5.0]
        assert await tensors(played) == ["columns", "candidates", "shared"]
        assert await tensors(played) == ["shared"]


async def test_a_new_stream_gets_the_candidates_again() -> None:
    sums_of_streams = FactoredSums()
    async with taking_replica(SELLING, sums_of_streams) as played, selling_pool(played) as pool:
        await asked(pool, 1.0)
        played.say(None)
        sums_of_streams.known = None
        await until(lambda: states(pool) == ["down"])
        await until(lambda: states(pool) == ["up"])
        assert await asked(pool, 2.0) == [3.0, 6.0, 4.0]
        assert await tensors(played) == await tensors(played) == ["columns", "candidates", "shared"]


async def test_a_replica_that_forgot_the_candidates_gets_them_again_and_no_vote_is_lost() -> None:
    forgetful = FactoredSums()
    async with taking_replica(SELLING, forgetful) as played, selling_pool(played) as pool:
        await asked(pool, 1.0)
        forgetful.known = None
        assert await asked(pool, 2.0) == [3.0, 6.0, 4.0]
        assert await asked(pool, 3.0) == [4.0, 7.0, 5.0]
        assert [await tensors(played) for _ in range(4)] == [
            ["columns", "candidates", "shared"], ["shared"], ["columns", "candidates", "shared"], ["shared"],
        ]  # fmt: skip


async def test_a_replica_that_never_knows_the_candidates_is_an_absence() -> None:
    never: Respond = lambda request: [error_reply(request, "send them along", "FAILED_PRECONDITION")]  # noqa: E731
    async with taking_replica(SELLING, never) as played, selling_pool(played) as pool:
        assert await AskAboutOffers(pool, [1.0]).verdict() == Absence("m", "send them along")


async def test_a_worker_of_before_gets_plain_rows_beside_one_that_takes_factored_ones() -> None:
    async with (
        taking_replica(SELLING, FactoredSums()) as new,
        replica(SELLING) as old,
        selling_pool(new, old) as pool,
    ):
        assert await asked(pool, 1.0, 2.0) == [2.0, 5.0, 3.0, 3.0, 6.0, 4.0]
        assert await tensors(new) == ["columns", "candidates", "shared"]
        assert await tensors(old) == ["features"]


@pytest.mark.parametrize("told", ["", "0", "-3", "many"])
async def test_what_a_worker_says_of_pairs_and_is_no_number_means_that_it_takes_none(told: str) -> None:
    async with taking_replica(SELLING, sums(), told) as played, selling_pool(played) as pool:
        await asked(pool, 1.0)
        assert await tensors(played) == ["features"]
