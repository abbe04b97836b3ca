"""The ensemble on Ray Serve, run in Ray's environment: a Supervisor, and one deployment with @serve.batch per model."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
import ray
from ray import serve
from ray.serve.config import gRPCOptions
from ray.serve.handle import DeploymentHandle

from loadtest.peers.inputs import Inputs, Matrix
from loadtest.simulated.model import endless_s
from loadtest.simulated.service_times import Lognormal
from mesh.wire import offers_pb2

MAX_ONGOING = 1024  # far more than 256 callers can have in flight, so that this limit never makes Ray queue
MAX_BATCH = 256


@dataclass(frozen=True)
class Size:
    """The number of replicas per model; `service` is the time of a row of a simulated model."""

    replicas: int
    service: Lognormal | None


@serve.deployment(max_ongoing_requests=MAX_ONGOING, ray_actor_options={"num_cpus": 0})
class TrainedModel:
    """A model in LightGBM's Python package, with one thread; scores many requests in one call."""

    def __init__(self, file: Path) -> None:
        self._booster = lightgbm.Booster(model_file=file)

    @serve.batch(max_batch_size=MAX_BATCH, batch_wait_timeout_s=0.0)
    async def __call__(self, rows: list[Matrix]) -> list[Matrix]:
        """The scores of the rows of each request."""
        scores = np.asarray(self._booster.predict(np.concatenate(rows), num_threads=1))
        return np.split(scores, np.cumsum([len(one) for one in rows])[:-1])


@serve.deployment(max_ongoing_requests=MAX_ONGOING, ray_actor_options={"num_cpus": 0})
class SimulatedModel:
    """A model that takes a drawn time for each row, one row after the other; the score is the first feature."""

    def __init__(self, service: Lognormal) -> None:
        self._needed_s: Iterator[float] = endless_s(service, np.random.default_rng())
        self._free_s = 0.0

    async def __call__(self, rows: Matrix) -> Matrix:
        """Waits for its turn and for the times of its rows; a batch would save nothing."""
        clock = asyncio.get_running_loop().time
        self._free_s = max(clock(), self._free_s) + sum(next(self._needed_s) for _ in rows)
        await asyncio.sleep(self._free_s - clock())
        return rows[:, 0]


@serve.deployment(max_ongoing_requests=MAX_ONGOING, ray_actor_options={"num_cpus": 0})
class Supervisor:
    """Reads the player, asks all models at once, returns the mean of the scores."""

    def __init__(self, folder: Path, models: Sequence[DeploymentHandle]) -> None:
        self._inputs = Inputs(folder)
        self._models = models

    async def Score(self, request: offers_pb2.ScoreRequest) -> offers_pb2.ScoreResponse:  # noqa: N802
        """The mean of the scores of all models."""
        scores = await self._scores(request.player_id)
        return offers_pb2.ScoreResponse(score=float(scores[0]), source=offers_pb2.ENSEMBLE)

    async def GetOffer(self, request: offers_pb2.GetOfferRequest) -> offers_pb2.GetOfferResponse:  # noqa: N802
        """The offer with the highest mean score."""
        offer_id, score = self._inputs.best(await self._scores(request.player_id))
        ranked = [offers_pb2.RankedOffer(offer_id=offer_id, score=score)]
        return offers_pb2.GetOfferResponse(offers=ranked, source=offers_pb2.ENSEMBLE)

    async def _scores(self, player_id: str) -> Matrix:
        rows = self._inputs.rows(player_id)
        votes = await asyncio.gather(*(model.remote(rows) for model in self._models))
        mean: Matrix = np.mean(votes, axis=0)
        return mean


def application(folder: Path, size: Size) -> serve.Application:
    """The Supervisor bound to one deployment per model."""
    inputs = Inputs(folder)
    models = []
    for model, file in zip(inputs.model_names, inputs.model_files, strict=True):
        options = {"name": model, "num_replicas": size.replicas}
        if size.service is None:
            models.append(TrainedModel.options(**options).bind(file))
        else:
            models.append(SimulatedModel.options(**options).bind(size.service))
    return Supervisor.bind(folder, models)


def main() -> int:
    """Starts Ray with the application, prints the `ready` event, and ends on SIGTERM."""
    options = _parser().parse_args()
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    servicers = ["mesh.wire.offers_pb2_grpc.add_OffersServicer_to_server"]
    serve.start(grpc_options=gRPCOptions(port=options.port, grpc_servicer_functions=servicers))
    service = Lognormal(options.median_s, options.sigma) if options.median_s else None
    serve.run(application(options.folder, Size(options.replicas, service)), name=options.folder.name)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # replaces the handlers of Ray
        signal.signal(number, lambda *_: ended.set())
    print(json.dumps({"event": "ready", "address": f"127.0.0.1:{options.port}"}), flush=True)
    ended.wait()
    serve.shutdown()
    ray.shutdown()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.peers.ray_server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the workload")
    parser.add_argument("--port", type=int, required=True, help="port of the gRPC ingress")
    parser.add_argument("--replicas", type=int, default=1, help="replicas per model (default %(default)s)")
    parser.add_argument("--median-s", type=float, help="simulate the models with this median time of a row")
    parser.add_argument("--sigma", type=float, default=0.15, help="sigma of the lognormal time (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
