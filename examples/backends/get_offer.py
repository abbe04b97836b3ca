"""A game backend in Python: requests the best offers for a player, shows the first, and reports that it was shown."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc

from mesh.wire import offers_pb2, offers_pb2_grpc

CONNECT_S = 5.0
DEADLINE_S = 0.2
REPORT_S = 1.0
SERVICE_CONFIG = '{"loadBalancingConfig": [{"round_robin": {}}]}'
OPTIONS = [
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.enable_retries", 0),
]
# The request or the caller is wrong: no retry can succeed, and a developer must see the message.
WRONG_REQUEST = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}


def main(arguments: Sequence[str]) -> int:
    """Prints the offer to show and its source; returns 0, or 2 for a wrong request."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.token_file and not options.tls_ca:
        parser.error("--token-file needs --tls-ca: a token must not be readable on the way")
    context = dict(map(context_value, options.context))
    request = offers_pb2.GetOfferRequest(game=options.game, player_id=options.player, context=context, limit=3)
    with open_channel(options) as channel:  # a real backend keeps one channel open
        try:
            # Connect before the first deadline starts: the look-up of the name and the handshake can take longer.
            grpc.channel_ready_future(channel).result(CONNECT_S)
            offers = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
            answer = offers.GetOffer(request, timeout=DEADLINE_S)
        except grpc.FutureTimeoutError:
            print(f"{options.default_offer} (out of reach: no connection to {options.address} within {CONNECT_S:g} s)")
            return 0
        except grpc.RpcError as error:
            if error.code() in WRONG_REQUEST:
                print(f"wrong request: {error.code().name}: {error.details()}", file=sys.stderr)
                return 2
            print(f"{options.default_offer} (out of reach: {error.code().name}: {error.details()})")
            return 0
        print(f"{answer.offers[0].offer_id} ({offers_pb2.Source.Name(answer.source)}) {answer.reason}".rstrip())
        report_shown(offers, options.game, answer)
    return 0


def open_channel(options: argparse.Namespace) -> grpc.Channel:
    """Opens a channel: plaintext, or TLS with a certificate of this backend or a token."""
    if options.tls_ca is None:
        return grpc.insecure_channel(options.address, OPTIONS)
    key, cert = (file and file.read_bytes() for file in (options.tls_key, options.tls_cert))
    credentials = grpc.ssl_channel_credentials(options.tls_ca.read_bytes(), key, cert)
    if options.token_file is not None:
        token = grpc.metadata_call_credentials(FileToken(options.token_file))  # gRPC sends it over TLS only
        credentials = grpc.composite_channel_credentials(credentials, token)
    name = [("grpc.ssl_target_name_override", options.tls_name)] if options.tls_name else []
    return grpc.secure_channel(options.address, credentials, [*OPTIONS, *name])


class FileToken(grpc.AuthMetadataPlugin):
    """Shows the token of a file in each call; it is read for each call, so that it can be changed at any time."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __call__(self, _: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Passes the metadata to gRPC."""
        try:
            callback((("authorization", f"Bearer {self._file.read_text().strip()}"),), None)
        except OSError as error:
            callback((), error)


def report_shown(offers: offers_pb2_grpc.OffersStub, game: str, answer: offers_pb2.GetOfferResponse) -> None:
    """Reports that the first offer of `answer` was shown. The game goes on without the report."""
    shown = offers_pb2.ReportOutcomeRequest(
        game=game,
        outcome_id=f"{answer.decision_id}-shown",  # the same in each attempt, so that the outcome counts once
        decision_id=answer.decision_id,
        kind=offers_pb2.SHOWN,
    )
    try:
        offers.ReportOutcome(shown, timeout=REPORT_S)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.FAILED_PRECONDITION:  # the game has no log of outcomes
            # A real backend repeats the report later, with the same outcome_id.
            print(f"not reported: {error.code().name}: {error.details()}", file=sys.stderr)


def context_value(word: str) -> tuple[str, offers_pb2.ContextValue]:
    """Returns the name and the value of `NAME=VALUE`: true and false are flags, numbers are numbers, others text."""
    name, _, value = word.partition("=")
    if value in ("true", "false"):
        return name, offers_pb2.ContextValue(flag=value == "true")
    try:
        return name, offers_pb2.ContextValue(number=float(value))
    except ValueError:
        return name, offers_pb2.ContextValue(text=value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", metavar="ADDRESS", help="address of the mesh, such as 127.0.0.1:7000")
    parser.add_argument("game", metavar="GAME", help="game as named in its catalog")
    parser.add_argument("player", metavar="PLAYER", help="id of the player")
    parser.add_argument("context", metavar="NAME=VALUE", nargs="*", help="context features of the game")
    default = "offer to show while the mesh is out of reach (default: %(default)s)"
    parser.add_argument("--default-offer", default="starter-pack", metavar="ID", help=default)
    parser.add_argument("--tls-ca", type=Path, metavar="FILE", help="CAs of the mesh's certificate; turns TLS on")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate of this backend")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="private key of the certificate")
    parser.add_argument("--tls-name", metavar="NAME", help="DNS name in the mesh's certificate")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="bearer token; needs --tls-ca")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
