"""A model's pool with real lanes to replicas whose replies the test chooses."""

from __future__ import annotations

import asyncio
import contextlib
import math
import struct
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from mesh.catalog.offers_table import OffersTable
from mesh.catalog.sources import Sources
from mesh.catalog.version import Model
from mesh.category_lists import OpenLists
from mesh.errors import Expired, MeshError, Overloaded, Unavailable, UnknownCandidates
from mesh.model_file import ModelHeader
from mesh.players.features import Columns, PlayerFeatures
from mesh.wire import inference_pb2 as oip
from supervisor.ballot import Ballot
from supervisor.lane import Lane
from supervisor.lane_channels import LaneChannels
from supervisor.lane_reply import read_reply
from supervisor.panel import Panel, ask_panels
from supervisor.pool import ModelPool
from supervisor.rows import CohortRows, Passenger, RowPlanner
from tests.supervisor.fake_starvation import NEVER_STARVED
from tests.supervisor.replica import (
    FactoredSums,
    Replica,
    Respond,
    error_reply,
    factored_replica,
    replica,
    rows_of,
    scores_reply,
    silent,
    sums,
    until,
)

pytestmark = pytest.mark.whole_machine  # real time limits

COLUMNS = Columns(("level", "spend"), ())
HEADER = ModelHeader(("level", "spend"), {}, "binary", 1, 10)
THREE_CLASSES = replace(HEADER, objective="multiclass", classes=3)
SHA = "a" * 64
WITHIN_S = 20.0


@asynccontextmanager
async def pool_of(*replicas: Replica, channels: LaneChannels | None = None, **model: Any) -> AsyncIterator[ModelPool]:
    """A pool with a lane to each of `replicas`; no lane is up yet."""
    named = Model.model_validate({"name": "m", "uri": "m.txt", **model})
    planner = RowPlanner(Sources(COLUMNS, {}, None))
    pool = ModelPool(named, planner, COLUMNS, NEVER_STARVED, 1, channels=channels)
    pool.assign([one.address for one in replicas])
    try:
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), WITHIN_S)


@asynccontextmanager
async def one_replica(
    respond: Respond | None = None, header: ModelHeader = HEADER, **model: Any
) -> AsyncIterator[tuple[ModelPool, Replica]]:
    """A pool with one replica whose lane is up."""
    async with replica(header, respond) as fake, pool_of(fake, **model) as pool:
        await until(lambda: states(pool) == ["up"])
        yield pool, fake


def states(pool: ModelPool) -> list[str]:
    return [lane.state for lane in pool.lanes.values()]


def why_down(pool: ModelPool) -> list[str]:
    return [lane.why_down for lane in pool.lanes.values()]


class Ask:
    """Has a pool score one cohort: a player for each of `levels`."""

    def __init__(self, pool: ModelPool, levels: Sequence[float]) -> None:
        players = [PlayerFeatures(struct.pack("<2d", level, 0.0), (), 0.0) for level in levels]
        self.rows = CohortRows(COLUMNS, players, [Passenger({}, ())] * len(levels))
        self.ballot = Ballot(["m"], len(levels), 1, lambda: None)
        self.pool = pool

    async def failure(self) -> str | None:
        """Scores the rows; returns the reason if the vote failed."""
        deadline_s = time.monotonic() + WITHIN_S
        async with asyncio.timeout(WITHIN_S):
            ask_panels([(Panel((self.pool,)), self.ballot)], self.rows, COLUMNS, deadline_s)
            await self.ballot.done
        (reason,) = self.ballot.reasons
        return reason

    @property
    def votes(self) -> list[float]:
        votes: list[float] = self.ballot.votes[0].tolist()
        return votes


async def test_lane_goes_up_and_returns_votes() -> None:
    async with one_replica(sums(0.5)) as (pool, _):
        ask = Ask(pool, [1.0, 2.0])
        assert await ask.failure() is None
        assert ask.votes == [1.5, 2.5]


async def test_replies_match_their_requests_by_id_in_any_order() -> None:
    async with one_replica(silent) as (pool, fake):
        asks = [Ask(pool, [float(level)]) for level in range(4)]
        failures = [asyncio.create_task(ask.failure()) for ask in asks]
        requests = [await asyncio.wait_for(fake.received.get(), WITHIN_S) for _ in asks]
        for request in reversed(requests):
            fake.send(scores_reply(request, rows_of(request)[:, 0]))
        assert await asyncio.gather(*failures) == [None] * 4
        assert [ask.votes for ask in asks] == [[0.0], [1.0], [2.0], [3.0]]


async def test_message_carries_the_remaining_time() -> None:
    async with one_replica() as (pool, fake):
        await Ask(pool, [1.0]).failure()
        request = await asyncio.wait_for(fake.received.get(), WITHIN_S)
        assert 0 < request.parameters["timeout"].int64_param <= WITHIN_S * 1e6


async def test_error_of_a_replica_is_the_reason_of_the_failure() -> None:
    async with one_replica(lambda request: [error_reply(request, "the row is wrong")]) as (pool, _):
        assert await Ask(pool, [1.0]).failure() == "the row is wrong"
        assert states(pool) == ["up"]


@pytest.mark.parametrize("scores", [[], [0.5], [0.5] * 3], ids=["none", "too few", "too many"])
async def test_wrong_number_of_scores_fails_the_vote(scores: list[float]) -> None:
    async with one_replica(lambda request: [scores_reply(request, scores)]) as (pool, _):
        assert await Ask(pool, [1.0, 2.0]).failure() is not None


async def test_scores_of_a_wrong_length_fail_the_vote() -> None:
    def half(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
        reply = scores_reply(request, [0.5])
        reply.infer_response.raw_output_contents[0] = b"12345"
        return [reply]

    async with one_replica(half) as (pool, _):
        assert await Ask(pool, [1.0]).failure() is not None


async def test_reply_without_output_fails_the_vote() -> None:
    def empty(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
        return [oip.ModelStreamInferResponse(infer_response=oip.ModelInferResponse(id=request.id))]

    async with one_replica(empty) as (pool, _):
        assert await Ask(pool, [1.0]).failure() is not None


async def test_nan_score_fails_the_vote() -> None:
    async with one_replica(lambda request: [scores_reply(request, [math.nan])]) as (pool, _):
        assert await Ask(pool, [1.0]).failure() == "a score is NaN"


async def test_several_scores_for_a_row_of_a_binary_model_fail_the_vote() -> None:
    async with one_replica(lambda request: [scores_reply(request, [0.1, 0.9])]) as (pool, _):
        assert await Ask(pool, [1.0]).failure() is not None


async def test_vote_is_the_score_of_the_class_in_the_catalog() -> None:
    respond: Respond = lambda request: [scores_reply(request, [0.1, 0.2, 0.7, 0.3, 0.3, 0.4])]  # noqa: E731
    async with one_replica(respond, THREE_CLASSES, **{"class": 2}) as (pool, _):
        ask = Ask(pool, [1.0, 2.0])
        assert await ask.failure() is None
        assert ask.votes == [0.7, 0.4]


@pytest.mark.parametrize("outputs", [1, 2])
async def test_fewer_scores_for_a_row_than_classes_fail_the_vote(outputs: int) -> None:
    respond: Respond = lambda request: [scores_reply(request, [0.1] * 2 * outputs)]  # noqa: E731
    async with one_replica(respond, THREE_CLASSES, **{"class": 2}) as (pool, _):
        assert await Ask(pool, [1.0, 2.0]).failure() is not None


async def test_reply_with_an_unknown_id_is_ignored() -> None:
    def twice(request: oip.ModelInferRequest) -> list[oip.ModelStreamInferResponse]:
        stray = oip.ModelStreamInferResponse(infer_response=oip.ModelInferResponse(id="stray"))
        return [stray, scores_reply(request, [0.5]), scores_reply(request, [0.9])]

    async with one_replica(twice) as (pool, _):
        for _ in range(2):
            ask = Ask(pool, [1.0])
            assert await ask.failure() is None
            assert ask.votes == [0.5]


async def test_end_of_the_stream_fails_the_votes_and_the_lane_reconnects() -> None:
    async with one_replica(lambda _: [None]) as (pool, fake):
        assert await Ask(pool, [1.0]).failure() is not None
        fake.respond = sums()
        await until(lambda: fake.streams == 2 and states(pool) == ["up"])
        assert await Ask(pool, [1.0]).failure() is None


async def test_lane_reconnects_to_a_restarted_replica() -> None:
    async with replica(HEADER) as first, pool_of(first) as pool:
        await until(lambda: states(pool) == ["up"])
        port = int(first.address.rpartition(":")[2])
        async with _gone_and_back(first, pool, port):
            assert await Ask(pool, [1.0]).failure() is None


@asynccontextmanager
async def _gone_and_back(first: Replica, pool: ModelPool, port: int) -> AsyncIterator[None]:
    await first.stop()
    await until(lambda: states(pool) == ["down"])
    assert await Ask(pool, [1.0]).failure() is not None
    async with replica(HEADER, port=port):
        await until(lambda: states(pool) == ["up"])
        yield


async def test_vote_fails_at_once_without_a_replica() -> None:
    async with pool_of() as pool:
        assert await Ask(pool, [1.0]).failure() == "no replica is known"


async def test_reason_of_a_lane_that_cannot_connect_is_reported() -> None:
    async with replica(HEADER) as fake:
        await fake.stop()
        async with pool_of(fake) as pool:
            await until(lambda: states(pool) == ["down"] and why_down(pool) != ["connecting"])
            assert await Ask(pool, [1.0]).failure() is not None


GARBAGE = {
    "not a message": b"\xff\xff\xff",
    "no properties": oip.ModelMetadataResponse(name="m"),
    "properties that are not JSON": oip.ModelMetadataResponse(
        properties=dict.fromkeys(("feature_names", "trees"), "{")
    ),
}


@pytest.mark.parametrize(
    "metadata",
    [
        GARBAGE["not a message"],
        GARBAGE["no properties"],
        GARBAGE["properties that are not JSON"],
    ],
    ids=GARBAGE.keys(),
)
async def test_replica_with_malformed_metadata_is_refused_until_it_is_valid(
    metadata: oip.ModelMetadataResponse | bytes,
) -> None:
    async with replica(HEADER) as fake:
        good, fake.metadata = fake.metadata, metadata
        async with pool_of(fake) as pool:
            await until(lambda: states(pool) == ["down"])
            fake.metadata = good
            await until(lambda: states(pool) == ["up"], within_s=2.5)
            assert await Ask(pool, [1.0]).failure() is None


async def test_malformed_reply_fails_the_votes_and_the_lane_reconnects() -> None:
    async with one_replica(lambda _: [b"\xff\xff\xff"]) as (pool, fake):
        assert await Ask(pool, [1.0]).failure() is not None
        fake.respond = sums()
        await until(lambda: states(pool) == ["up"], within_s=2.5)
        assert await Ask(pool, [1.0]).failure() is None


@pytest.mark.parametrize("trees", [10, 11])
async def test_replica_with_another_file_than_the_others_is_up(trees: int) -> None:
    new = replace(HEADER, trees=trees)
    async with replica(HEADER, sha256=SHA) as one, replica(new, sha256="b" * 64) as other, pool_of(one) as pool:
        await until(lambda: states(pool) == ["up"])
        pool.assign([one.address, other.address])
        await until(lambda: states(pool) == ["up", "up"])
        assert pool.served() == {(SHA, ""): 1, ("b" * 64, ""): 1}


OPEN = replace(HEADER, open_lists=OpenLists(((10, 20),), (("level", "spend"),)))


async def test_replica_with_open_lists_is_accepted_if_the_catalog_names_the_columns() -> None:
    async with replica(OPEN) as fake, pool_of(fake, categories=["spend"]) as pool:
        await until(lambda: why_down(pool) == [""])
        assert pool.plan is not None
        assert pool.plan.header.categories == {"spend": (10, 20)}


async def test_replica_with_open_lists_is_refused_without_names_in_the_catalog() -> None:
    async with replica(OPEN) as fake, pool_of(fake) as pool:
        await until(lambda: "the model file does not show" in why_down(pool)[0])


async def test_replica_with_categories_in_other_columns_than_the_catalog_is_refused() -> None:
    known = replace(HEADER, categories={"level": (10, 20)})
    async with replica(known) as fake, pool_of(fake, categories=["spend"]) as pool:
        await until(lambda: "start the worker with --categories=spend" in why_down(pool)[0])


async def test_replica_with_the_sha256_of_the_catalog_is_accepted() -> None:
    async with replica(HEADER, sha256=SHA) as fake, pool_of(fake, sha256=SHA) as pool:
        await until(lambda: states(pool) == ["up"])


@pytest.mark.parametrize(
    ("header", "model"), [(THREE_CLASSES, {}), (THREE_CLASSES, {"class": 3}), (HEADER, {"class": 0})]
)
async def test_class_that_the_model_does_not_have_is_refused(header: ModelHeader, model: dict[str, Any]) -> None:
    async with replica(header) as fake, pool_of(fake, **model) as pool:
        await until(lambda: why_down(pool)[0].startswith("class"))
        assert states(pool) == ["down"]


async def test_model_with_an_unknown_feature_is_refused() -> None:
    async with replica(replace(HEADER, feature_names=("level", "ghost"))) as fake, pool_of(fake) as pool:
        await until(lambda: "'ghost'" in why_down(pool)[0])
        assert "'ghost'" in str(await Ask(pool, [1.0]).failure())


async def test_rows_of_a_replica_that_ends_its_stream_go_to_another_replica() -> None:
    async with replica(HEADER, silent) as mute, replica(HEADER) as good, pool_of(mute) as pool:
        await until(lambda: states(pool) == ["up"])
        failure = asyncio.create_task(Ask(pool, [1.0]).failure())
        await asyncio.wait_for(mute.received.get(), WITHIN_S)
        pool.assign([mute.address, good.address])
        await until(lambda: pool.lanes[good.address].state == "up")
        mute.send(None)
        assert await failure is None


async def test_closed_ballot_settles_at_once_and_drops_the_late_reply() -> None:
    async with one_replica(silent) as (pool, fake):
        ask = Ask(pool, [1.0])
        failure = asyncio.create_task(ask.failure())
        request = await asyncio.wait_for(fake.received.get(), WITHIN_S)
        ask.ballot.close()
        assert await failure == "no vote in time"
        fake.send(scores_reply(request, [0.5]))
        await until(lambda: pool.outstanding_rows == 0)
        assert math.isnan(ask.votes[0])


async def test_cancelled_caller_does_not_disturb_the_lane() -> None:
    async with one_replica(silent) as (pool, fake):
        failure = asyncio.create_task(Ask(pool, [1.0]).failure())
        request = await asyncio.wait_for(fake.received.get(), WITHIN_S)
        failure.cancel()
        with pytest.raises(asyncio.CancelledError):
            await failure
        fake.send(scores_reply(request, [0.5]))
        fake.respond = sums()
        assert await Ask(pool, [1.0]).failure() is None
        assert (states(pool), fake.streams) == (["up"], 1)


async def test_lane_ends_although_a_failing_call_replaces_its_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()

    async def session(_self: object) -> str:
        started.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "connection refused"

    monkeypatch.setattr(Lane, "_session", session)
    async with replica(HEADER) as fake, pool_of(fake) as pool:
        await started.wait()
        await asyncio.wait_for(pool.close(), WITHIN_S)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("RESOURCE_EXHAUSTED", Overloaded),
        ("FAILED_PRECONDITION", UnknownCandidates),
        ("DEADLINE_EXCEEDED", Expired),
        ("INTERNAL", Unavailable),
    ],
)
def test_code_of_an_error_reply_names_the_error(code: str, error: type[MeshError]) -> None:
    reply = oip.ModelStreamInferResponse(error_message="no")
    reply.infer_response.parameters["code"].string_param = code
    assert type(read_reply(reply, 1)) is error


OFFERS = OffersTable(("a", "b", "c"), {"a": 0, "b": 1, "c": 2}, None, {"price": (1.0, 4.0, 2.0)}, {})
SELLING = ModelHeader(("level", "price"), {}, "binary", 1, 10)


class AskAboutOffers(Ask):
    """Has a pool score every offer for a player of each of `levels`."""

    def __init__(self, pool: ModelPool, levels: Sequence[float]) -> None:
        super().__init__(pool, levels)
        players = [PlayerFeatures(struct.pack("<2d", level, 0.0), (), 0.0) for level in levels]
        self.rows = CohortRows(COLUMNS, players, [Passenger({}, range(3))] * len(levels))
        self.ballot = Ballot(["m"], 3 * len(levels), 1, lambda: None)


@asynccontextmanager
async def selling_pool(*replicas: Replica) -> AsyncIterator[ModelPool]:
    """A pool of a model with an offer feature; its lanes to `replicas` are up."""
    planner = RowPlanner(Sources(COLUMNS, {}, OFFERS))
    pool = ModelPool(Model(name="m", uri="m.txt"), planner, COLUMNS, NEVER_STARVED, 1)
    pool.assign([one.address for one in replicas])
    try:
        await until(lambda: set(states(pool)) == {"up"})
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), WITHIN_S)


async def tensors(fake: Replica) -> list[str]:
    """The names of the tensors in the next message that the replica received."""
    request = await asyncio.wait_for(fake.received.get(), WITHIN_S)
    return [tensor.name for tensor in request.inputs]


async def asked(pool: ModelPool, *levels: float) -> list[float]:
    """The votes on every offer for players of `levels`."""
    ask = AskAboutOffers(pool, levels)
    assert await ask.failure() is None
    return ask.votes


async def test_candidates_are_sent_once_for_each_stream() -> None:
    async with factored_replica(SELLING, FactoredSums()) as fake, selling_pool(fake) as pool:
        assert await asked(pool, 1.0) == [2.0, 5.0, 3.0]
        assert await asked(pool, 2.0, 3.0) == [3.0, 6.0, 4.0, 4.0, 7.0, 5.0]
        assert await tensors(fake) == ["columns", "candidates", "shared"]
        assert await tensors(fake) == ["shared"]


async def test_new_stream_gets_the_candidates_again() -> None:
    sums_of_streams = FactoredSums()
    async with factored_replica(SELLING, sums_of_streams) as fake, selling_pool(fake) as pool:
        await asked(pool, 1.0)
        fake.send(None)
        sums_of_streams.known = None
        await until(lambda: states(pool) == ["down"])
        await until(lambda: states(pool) == ["up"])
        assert await asked(pool, 2.0) == [3.0, 6.0, 4.0]
        assert await tensors(fake) == await tensors(fake) == ["columns", "candidates", "shared"]


async def test_replica_that_lost_the_candidates_gets_them_again_without_a_failed_vote() -> None:
    forgetful = FactoredSums()
    async with factored_replica(SELLING, forgetful) as fake, selling_pool(fake) as pool:
        await asked(pool, 1.0)
        forgetful.known = None
        assert await asked(pool, 2.0) == [3.0, 6.0, 4.0]
        assert await asked(pool, 3.0) == [4.0, 7.0, 5.0]
        assert [await tensors(fake) for _ in range(4)] == [
            ["columns", "candidates", "shared"], ["shared"], ["columns", "candidates", "shared"], ["shared"],
        ]  # fmt: skip


async def test_replica_that_always_reports_missing_candidates_fails_the_vote() -> None:
    never: Respond = lambda request: [error_reply(request, "candidates are missing", "FAILED_PRECONDITION")]  # noqa: E731
    async with factored_replica(SELLING, never) as fake, selling_pool(fake) as pool:
        assert await AskAboutOffers(pool, [1.0]).failure() == "candidates are missing"


async def test_old_worker_gets_plain_rows_beside_a_new_worker_that_gets_factored_rows() -> None:
    async with (
        factored_replica(SELLING, FactoredSums()) as new,
        replica(SELLING) as old,
        selling_pool(new, old) as pool,
    ):
        assert await asked(pool, 1.0, 2.0) == [2.0, 5.0, 3.0, 3.0, 6.0, 4.0]
        assert await tensors(new) == ["columns", "candidates", "shared"]
        assert await tensors(old) == ["features"]


@pytest.mark.parametrize("pairs", ["", "0", "-3", "many"])
async def test_invalid_number_of_pairs_means_that_the_worker_accepts_no_factored_rows(pairs: str) -> None:
    async with factored_replica(SELLING, sums(), pairs) as fake, selling_pool(fake) as pool:
        await asked(pool, 1.0)
        assert await tensors(fake) == ["features"]
