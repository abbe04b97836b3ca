"""`mesh offer` and `mesh score`: what a game backend would get, asked the way it would ask."""

from __future__ import annotations

import argparse
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from mesh.cli.offers import answer_view
from mesh.cli.offers.context import parse
from mesh.errors import Expired, MeshError, Misconfigured, Unavailable
from mesh.wire import offers_pb2, offers_pb2_grpc

Request = TypeVar("Request", offers_pb2.GetOfferRequest, offers_pb2.ScoreRequest)
Answer = TypeVar("Answer", offers_pb2.GetOfferResponse, offers_pb2.ScoreResponse)

_CONNECT_BUDGET_S = 3.0
_LONGEST_ANSWER_S = 15.0  # above the largest budget that a catalog can give


def offer(arguments: argparse.Namespace) -> int:
    """Asks for a player's best offers and prints the answer."""
    request = _request(offers_pb2.GetOfferRequest, arguments, offer_ids=arguments.offer, limit=arguments.limit)
    with _stub(arguments.address) as stub:
        answer, seconds = _timed(lambda: stub.GetOffer(request, timeout=_budget_s(arguments)))
    if arguments.json:
        _print_json(answer)
    else:
        answer_view.print_offers(answer, seconds)
    return 0


def score(arguments: argparse.Namespace) -> int:
    """Asks for the ensemble's score of a player and prints the answer."""
    request = _request(offers_pb2.ScoreRequest, arguments, offer_id=arguments.offer)
    with _stub(arguments.address) as stub:
        answer, seconds = _timed(lambda: stub.Score(request, timeout=_budget_s(arguments)))
    if arguments.json:
        _print_json(answer)
    else:
        answer_view.print_score(answer, seconds)
    return 0


def _request(kind: Callable[..., Request], arguments: argparse.Namespace, **fields: Any) -> Request:
    context = parse(arguments.context)
    who = {"game": arguments.game, "player_id": arguments.player, "version": arguments.version}
    try:
        return kind(context=context, **who, **fields)
    except ValueError as error:  # bytes that are no text, a number that is too large
        raise Misconfigured([f"this cannot be asked: {error}; correct the flags"]) from error


def _timed(call: Callable[[], Answer]) -> tuple[Answer, float]:
    started_s = time.monotonic()
    return call(), time.monotonic() - started_s


def _print_json(answer: Message) -> None:
    print(
        json_format.MessageToJson(
            answer,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
            indent=None,
        )
    )


def _budget_s(arguments: argparse.Namespace) -> float:
    """The deadline of the call. Without one from the user the game's budget ends it, long before this."""
    return arguments.deadline_ms / 1000 if arguments.deadline_ms else _LONGEST_ANSWER_S


@contextlib.contextmanager
def _stub(address: str) -> Iterator[offers_pb2_grpc.OffersStub]:
    """The service at `address`, connected, so that the call's deadline is all the answer's.

    Raises MeshError for a call in the block that fails, with a sentence for the user.
    """
    _reach(address)
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=_CONNECT_BUDGET_S)
            yield offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        except grpc.FutureTimeoutError as error:
            raise Unavailable(f"what listens at {address} is not the mesh; correct --address") from error
        except grpc.RpcError as error:
            raise _explain(address, error) from error


def _reach(address: str) -> None:
    """Raises Unavailable at once if nobody listens at `address`: a channel would go on trying."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_BUDGET_S).close()
    except (OSError, ValueError, OverflowError) as error:
        problem = f"the mesh cannot be reached at {address}: {error}"
        raise Unavailable(f"{problem}; start it with `mesh up`, or correct --address") from error


def _explain(address: str, error: grpc.RpcError) -> MeshError:
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Expired("no answer within the deadline; give --deadline-ms more time")
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable(f"the mesh at {address} went away: {details}; ask again, or start it with `mesh up`")
    return MeshError(f"{code.name.lower().replace('_', ' ')}: {details}")
