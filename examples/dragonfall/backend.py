"""The backend of the game: requests an offer from the mesh at every log-in, and reports what the player did with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import grpc

from examples.dragonfall.failure import ExampleFailed
from examples.dragonfall.simulation import Encounters, Players
from mesh.tls.channel import PLAINTEXT, ClientSecurity, open_aio_channel
from mesh.wire import offers_pb2, offers_pb2_grpc

GAME = "dragonfall"
# Much longer than the catalog's budget, within which the mesh always answers.
DEADLINE_S = 2.0

# The mesh runs on this machine.
NO_PROXY = [("grpc.enable_http_proxy", 0)]
OUTCOMES_S = 120.0  # a supervisor on a busy machine takes at least 50 a second

Request = offers_pb2.GetOfferRequest
Outcome = offers_pb2.ReportOutcomeRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """The offer to show. `expected_revenue_usd` is None in a fallback answer."""

    player_id: str
    offer_id: str
    expected_revenue_usd: float | None
    source: str
    reason: str
    latency_ms: float
    decision_id: str = ""

    @property
    def is_held_out(self) -> bool:
        """Whether the player belongs to the holdout, which gets the fallback offer."""
        return self.reason.startswith("holdout:")


def logins(players: Players, encounters: Encounters) -> list[Request]:
    """Returns one request per encounter, with the player and the context features."""
    return [
        Request(
            game=GAME,
            player_id=players.ids[player],
            context={
                "session_minutes": offers_pb2.ContextValue(number=minutes),
                "platform": offers_pb2.ContextValue(text=platform),
                "is_weekend": offers_pb2.ContextValue(flag=bool(weekend)),
            },
        )
        for player, minutes, platform, weekend in zip(
            encounters.player.tolist(),
            encounters.session_minutes.tolist(),
            encounters.platform.tolist(),
            encounters.is_weekend.tolist(),
            strict=True,
        )
    ]


async def ask(
    address: str, requests: Sequence[Request], callers: int, security: ClientSecurity = PLAINTEXT
) -> list[Answer]:
    """Sends the requests, `callers` at a time, and returns the answers in the order of `requests`.

    Raises ExampleFailed at the first gRPC error, because a mesh with missing models still answers.
    """
    answers: list[Answer | None] = [None] * len(requests)
    queue = iter(enumerate(requests))
    async with open_aio_channel(address, security, NO_PROXY) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]  # generated
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(callers):
                    tasks.create_task(_call(stub, queue, answers))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
    return [answer for answer in answers if answer is not None]


def outcomes_of(answers: Sequence[Answer], bought: Sequence[bool], prices: Mapping[str, float]) -> list[Outcome]:
    """Returns the outcomes to report: every offer was shown, and those that the player `bought` were purchased.

    The ids are made of the decision and the kind, so that a repeated report counts once.
    """
    outcomes = []
    for answer, is_bought in zip(answers, bought, strict=True):
        one, offer = answer.decision_id, answer.offer_id
        shown = Outcome(game=GAME, outcome_id=f"{one}-shown", decision_id=one, offer_id=offer, kind=offers_pb2.SHOWN)
        outcomes.append(shown)
        if is_bought:
            purchase = Outcome(game=GAME, outcome_id=f"{one}-purchased", decision_id=one, offer_id=offer)
            purchase.MergeFrom(Outcome(kind=offers_pb2.PURCHASED, value=prices[offer], currency="USD"))
            outcomes.append(purchase)
    return outcomes


async def report(address: str, outcomes: Sequence[Outcome], security: ClientSecurity = PLAINTEXT) -> None:
    """Reports the outcomes on a stream. The mesh may end it; then the outcomes without a response are repeated.

    Raises ExampleFailed if the mesh refuses an outcome, or does not take all of them within `OUTCOMES_S`.
    """
    async with open_aio_channel(address, security, NO_PROXY) as channel:
        stub = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]  # generated
        try:
            async with asyncio.timeout(OUTCOMES_S):
                left = list(outcomes)
                while left:
                    left = left[await _report(stub, left) :]
        except TimeoutError:
            raise ExampleFailed(f"the mesh did not take all outcomes within {OUTCOMES_S:g} s") from None
        except grpc.aio.AioRpcError as error:
            raise ExampleFailed(f"StreamOutcomes: {error.code().name}: {error.details()}") from None


async def _report(stub: offers_pb2_grpc.OffersStub, outcomes: Sequence[Outcome]) -> int:
    """Returns the number of responses; they are in the order of the reports."""
    count = 0
    async for response in stub.StreamOutcomes(iter(outcomes)):
        if response.HasField("error"):
            raise ExampleFailed(f"the outcome {response.outcome_id} was refused: {response.error.message}")
        count += 1
    return count


async def _call(
    stub: offers_pb2_grpc.OffersStub,
    queue: Iterator[tuple[int, Request]],
    answers: list[Answer | None],
) -> None:
    for number, request in queue:
        started_s = time.perf_counter()
        try:
            response = await stub.GetOffer(request, timeout=DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            raise ExampleFailed(f"GetOffer for {request.player_id}: {error.code().name}: {error.details()}") from None
        answers[number] = _read(request, response, 1000 * (time.perf_counter() - started_s))


def _read(request: Request, response: offers_pb2.GetOfferResponse, latency_ms: float) -> Answer:
    if not response.offers:
        raise ExampleFailed(f"GetOffer for {request.player_id} returned no offer: {response.reason}")
    best = response.offers[0]
    return Answer(
        player_id=request.player_id,
        offer_id=best.offer_id,
        expected_revenue_usd=best.expected_revenue if best.HasField("expected_revenue") else None,
        source=offers_pb2.Source.Name(response.source),
        reason=response.reason,
        latency_ms=latency_ms,
        decision_id=response.decision_id,
    )
