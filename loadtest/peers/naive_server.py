"""The naive supervisor: reads the player, makes one call per model, returns the mean of the scores."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import grpc
import numpy as np

from loadtest.peers.inputs import Inputs, Matrix
from mesh import serving
from mesh.heap import settle_heap
from mesh.wire import inference_pb2, inference_pb2_grpc, offers_pb2, offers_pb2_grpc

CALL_BUDGET_S = 30.0
DRAIN_S = 1.0


class Replica:
    """One replica of a model, and the number of its unanswered calls."""

    def __init__(self, model: str, number: int, channel: grpc.aio.Channel) -> None:
        self.unanswered = 0
        self._model = model
        self._version = str(number) if number else ""
        self._stub = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]

    async def score(self, rows: Matrix) -> Matrix:
        """The scores of `rows` [rows]."""
        request = inference_pb2.ModelInferRequest(model_name=self._model, model_version=self._version)
        request.inputs.add(name="features", datatype="FP64", shape=rows.shape)
        request.raw_input_contents.append(rows.tobytes())
        self.unanswered += 1
        try:
            reply = await self._stub.ModelInfer(request, timeout=CALL_BUDGET_S)
        finally:
            self.unanswered -= 1
        return np.frombuffer(reply.raw_output_contents[0], dtype="<f8")


class NaiveOffers(offers_pb2_grpc.OffersServicer):
    """Handles every request on its own, without cohorts."""

    def __init__(self, inputs: Inputs, models: Sequence[Sequence[Replica]]) -> None:
        self._inputs = inputs
        self._models = models

    async def Score(self, request: offers_pb2.ScoreRequest, _: object) -> offers_pb2.ScoreResponse:  # noqa: N802
        """The mean of the scores of all models."""
        scores = await self._scores(request.player_id)
        return offers_pb2.ScoreResponse(score=float(scores[0]), source=offers_pb2.ENSEMBLE)

    async def GetOffer(  # noqa: N802
        self, request: offers_pb2.GetOfferRequest, _: object
    ) -> offers_pb2.GetOfferResponse:
        """The offer with the highest mean score."""
        offer_id, score = self._inputs.best(await self._scores(request.player_id))
        ranked = [offers_pb2.RankedOffer(offer_id=offer_id, score=score)]
        return offers_pb2.GetOfferResponse(offers=ranked, source=offers_pb2.ENSEMBLE)

    async def _scores(self, player_id: str) -> Matrix:
        rows = self._inputs.rows(player_id)
        least_busy = [min(replicas, key=lambda replica: replica.unanswered) for replicas in self._models]
        votes = await asyncio.gather(*(replica.score(rows) for replica in least_busy))
        mean: Matrix = np.mean(votes, axis=0)
        return mean


async def serve(folder: Path, addresses: Mapping[str, Sequence[str]]) -> int:
    """Serves on a free port, prints it in the `ready` event, and ends on SIGTERM."""
    async with connected(addresses) as models:
        server = grpc.aio.server(options=serving.server_options(serving.MESSAGE_LIMIT_BYTES))
        offers_pb2_grpc.add_OffersServicer_to_server(NaiveOffers(Inputs(folder), models), server)  # type: ignore[no-untyped-call]
        port = serving.bind(server, "127.0.0.1", 0)
        async with serving.stop_signal() as stop:
            await server.start()
            settle_heap()
            print(json.dumps({"event": "ready", "address": f"127.0.0.1:{port}"}), flush=True)
            await stop.wait()
            await server.stop(DRAIN_S)
    return 0


@contextlib.asynccontextmanager
async def connected(addresses: Mapping[str, Sequence[str]]) -> AsyncIterator[list[list[Replica]]]:
    """The replicas of every model, each on its own channel."""
    async with contextlib.AsyncExitStack() as stack:
        models = []
        for model, replicas in addresses.items():
            channels = [grpc.aio.insecure_channel(address, options=serving.lane_options()) for address in replicas]
            for channel in channels:
                await stack.enter_async_context(channel)
            numbered = enumerate(channels, 1) if len(channels) > 1 else ((0, channel) for channel in channels)
            models.append([Replica(model, number, channel) for number, channel in numbered])
        yield models


def main() -> int:
    """Runs the process until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.peers.naive_server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the workload")
    parser.add_argument("--addresses", type=json.loads, required=True, help='{"MODEL": ["ADDRESS", ...]} as JSON')
    options = parser.parse_args()
    serving.follow_parent()
    return serving.run(serve(options.folder, options.addresses), "uvloop")


if __name__ == "__main__":
    sys.exit(main())
