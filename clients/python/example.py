"""Asks for the offer of one player, prints it, and reports that it was shown."""

from __future__ import annotations

import asyncio
import sys

from ensemble_mesh_client import OfferClient, Source
from ensemble_mesh_client.wire.offers_pb2 import ReportOutcomeRequest


async def main(address: str, game: str, player: str) -> None:
    """Asks the mesh at `address`."""
    async with OfferClient(address, game=game, fallback="starter-pack") as mesh:
        answer = await mesh.get_offer(player)
        print(f"{answer.offer_id} ({answer.source.value}) {answer.reason}".rstrip())
        if answer.source is not Source.LOCAL:
            shown = f"{answer.decision_id}-shown"  # the same in each repetition, so that the outcome counts once
            mesh.report_outcome(ReportOutcomeRequest(outcome_id=shown, decision_id=answer.decision_id, kind="SHOWN"))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
