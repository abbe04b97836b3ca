"""A game backend in Python: requests the best offers for a player, with its own deadline."""

from __future__ import annotations

import sys

import grpc

from mesh.wire import offers_pb2, offers_pb2_grpc

DEADLINE_S = 0.2
DEFAULT_OFFER = "starter-pack"  # shown when the mesh is unreachable


def main(address: str, game: str, player_id: str) -> None:
    """Prints the offer to show and its source."""
    with grpc.insecure_channel(address) as channel:  # a real backend keeps one channel open
        offers = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        request = offers_pb2.GetOfferRequest(
            game=game,
            player_id=player_id,
            context={"session_minutes": offers_pb2.ContextValue(number=12.5)},
            limit=3,
        )
        try:
            answer = offers.GetOffer(request, timeout=DEADLINE_S)
        except grpc.RpcError as error:
            print(f"{DEFAULT_OFFER} (the mesh is unreachable or the request is wrong: {error})")
            return
    print(f"{answer.offers[0].offer_id} ({offers_pb2.Source.Name(answer.source)}) {answer.reason}")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: get_offer.py ADDRESS GAME PLAYER")
    main(*sys.argv[1:])
