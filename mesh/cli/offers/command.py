"""`mesh offer` and `mesh score`: send one request as a game backend does, and print the answer."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from mesh.cli.main import DONE
from mesh.cli.offers import answer_view
from mesh.cli.offers.context import parse
from mesh.errors import Expired, MeshError, Misconfigured, Unavailable
from mesh.tls.channel import ClientSecurity, client_security, open_channel
from mesh.tls.connection_fault import connection_fault, is_ready
from mesh.wire import offers_pb2, offers_pb2_grpc

Request = TypeVar("Request", offers_pb2.GetOfferRequest, offers_pb2.ScoreRequest)
Answer = TypeVar("Answer", offers_pb2.GetOfferResponse, offers_pb2.ScoreResponse)

_CONNECT_BUDGET_S = 3.0
_CONTEXT_FIELD = re.compile(r"(context\.(.+): is .+); set '(number|text|flag)'")
_REFUSED = {
    grpc.StatusCode.UNAUTHENTICATED: "the mesh does not know this caller",
    grpc.StatusCode.PERMISSION_DENIED: "this caller may not do this",
}
_KNOWN_BY = "a caller is known by --tls-cert and --tls-key, or by --token-file"
_LONGEST_ANSWER_S = 15.0  # above the largest budget that a catalog accepts


def offer(arguments: argparse.Namespace) -> int:
    """Requests the best offers for a player and prints the answer."""
    request = _request(offers_pb2.GetOfferRequest, arguments, offer_ids=arguments.offer, limit=arguments.limit)
    with connected_stub(arguments.address, client_security(vars(arguments), os.environ)) as stub:
        answer, seconds = _timed(lambda: stub.GetOffer(request, timeout=_budget_s(arguments)))
    if arguments.json:
        _print_json(answer)
    else:
        answer_view.print_offers(answer, seconds)
    return DONE


def score(arguments: argparse.Namespace) -> int:
    """Requests the ensemble's score for a player and prints the answer."""
    request = _request(offers_pb2.ScoreRequest, arguments, offer_id=arguments.offer)
    with connected_stub(arguments.address, client_security(vars(arguments), os.environ)) as stub:
        answer, seconds = _timed(lambda: stub.Score(request, timeout=_budget_s(arguments)))
    if arguments.json:
        _print_json(answer)
    else:
        answer_view.print_score(answer, seconds)
    return DONE


def _request(kind: Callable[..., Request], arguments: argparse.Namespace, **fields: Any) -> Request:
    context = parse(arguments.context)
    target = {"game": arguments.game, "player_id": arguments.player, "version": arguments.version}
    try:
        return kind(context=context, **target, **fields)
    except ValueError as error:  # bytes that are not UTF-8, or a number out of range
        raise Misconfigured([f"the request cannot be built: {error}; correct the options"]) from error


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
    """The deadline of the call. By default it is so long that the game's own budget decides."""
    return arguments.deadline_ms / 1000 if arguments.deadline_ms else _LONGEST_ANSWER_S


@contextlib.contextmanager
def connected_stub(address: str, security: ClientSecurity) -> Iterator[offers_pb2_grpc.OffersStub]:
    """Yields a stub that is connected to `address`, so that connecting does not use up the call's deadline.

    Raises MeshError, with a message for the user, if it cannot connect or a call in the block fails.
    """
    with open_channel(address, security, [("grpc.enable_http_proxy", 0)]) as channel:
        _check_reachable(address)
        if not is_ready(channel, _CONNECT_BUDGET_S):
            fault = connection_fault(address, security)
            raise Unavailable(fault or f"the server at {address} is not a mesh; correct --address")
        try:
            yield offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        except grpc.RpcError as error:
            raise _failure(address, error) from error


def _check_reachable(address: str) -> None:
    """Raises Unavailable at once if no server listens at `address`; a gRPC channel would keep trying."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_BUDGET_S).close()
    except (OSError, ValueError, OverflowError) as error:
        problem = f"cannot reach the mesh at {address}: {error}"
        raise Unavailable(f"{problem}; start it with `mesh up`, or correct --address") from error


def _failure(address: str, error: grpc.RpcError) -> MeshError:
    code, details = error.code(), error.details()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Expired("no answer within the deadline; increase --deadline-ms")
    if code is grpc.StatusCode.UNAVAILABLE:
        return Unavailable(
            f"the mesh at {address} became unavailable: {details}; try again, or start it with `mesh up`"
        )
    if code in _REFUSED:
        return MeshError(f"{_REFUSED[code]}: {details}; {_KNOWN_BY}")
    return MeshError(f"{code.name.lower().replace('_', ' ')}: {_for_command(details or '')}")


def _for_command(details: str) -> str:
    """Replaces the fix for a context feature of the wrong kind, which names a field of the message, by an option."""
    found = _CONTEXT_FIELD.fullmatch(details)
    if found is None:
        return details
    problem, name, field = found.groups()
    quoted = f"""write --context {name}='"..."'"""
    return f"{problem}; " + {"number": "give a number", "flag": "give true or false"}.get(field, quoted)
