"""A game backend in Python: requests the best offers for a player, shows the first, and reports that it was shown."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from ensemble_mesh_client import Answer, OfferClient, Security, WrongRequest
from ensemble_mesh_client.wire.offers_pb2 import ReportOutcomeRequest

CONNECT_S = 5.0


async def main(arguments: Sequence[str]) -> int:
    """Prints the offer to show and its source; returns 0, or 2 for a wrong request."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.token_file and not options.tls_ca:
        parser.error("--token-file needs --tls-ca: a token must not be readable on the way")
    client = OfferClient(
        options.address,
        game=options.game,
        fallback=options.default_offer,
        security=security_of(options),
        connect_s=CONNECT_S,
    )
    async with client as mesh:  # a real backend keeps one client open
        try:
            answer = await mesh.get_offer(options.player, context=dict(map(context_value, options.context)), limit=3)
        except WrongRequest as error:  # no retry can succeed, and a developer must see the message
            print(f"wrong request: {error}", file=sys.stderr)
            return 2
        print(f"{answer.offer_id} ({answer.source.name}) {answer.reason}".rstrip())
        if answer.decision_id:
            mesh.report_outcome(shown(answer))
    return 0


def security_of(options: argparse.Namespace) -> Security | None:
    """Returns how to connect: None for plaintext, or TLS with a certificate of this backend or a token."""
    if options.tls_ca is None:
        return None
    token = options.token_file.read_text().strip() if options.token_file else None
    return Security(options.tls_ca, options.tls_cert, options.tls_key, options.tls_name, token)


def shown(answer: Answer) -> ReportOutcomeRequest:
    """Returns the report that the first offer of `answer` was shown."""
    decision = answer.decision_id
    # The id is the same in each attempt, so that the outcome counts once.
    return ReportOutcomeRequest(outcome_id=f"{decision}-shown", decision_id=decision, kind="SHOWN")


def context_value(word: str) -> tuple[str, bool | float | str]:
    """Returns the name and the value of `NAME=VALUE`: true and false are flags, numbers are numbers, others text."""
    name, _, value = word.partition("=")
    if value in ("true", "false"):
        return name, value == "true"
    try:
        return name, float(value)
    except ValueError:
        return name, value


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
    sys.exit(asyncio.run(main(sys.argv[1:])))
