"""The simulated user: log-ins at a constant rate, each for a player drawn by popularity."""

from __future__ import annotations

import random
import time
from itertools import count
from typing import Any

import grpc
from locust import User, constant_throughput, task

from loadtest.swarm.calls import ask
from loadtest.swarm.draws import drawn, games_of
from loadtest.swarm.stages import Stages
from loadtest.workloads import Method
from mesh.wire import offers_pb2

PLAYERS_APART = 1_000_000
_numbers = count()


class Player(User):
    """Records each answer by its source, so that tables show one row per source; a gRPC error is a failure."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        # Each worker process uses other seeds, so that the processes do not draw the same players in the same order.
        number = next(_numbers) + PLAYERS_APART * max(0, getattr(environment.runner, "worker_index", 0))
        self._pause = constant_throughput(options.player_rate)
        self._draw = drawn(options.players, options.zipf, number)
        self._rng = random.Random(number)
        games = games_of(options.games)
        names = list(games) if options.scenario == "mixed" else list(games)[:1]
        self._games, self._game_weights = names, [games[name] for name in names]
        self._method_weights = [options.get_offer_weight, options.score_weight]
        self._deadline_s = options.deadline_ms / 1000
        self._address: str = environment.host
        self._stages: Stages = environment.stages

    def wait_time(self) -> float:
        """The seconds until the next log-in at the constant rate."""
        return float(self._pause(self))

    @task
    def log_in(self) -> None:
        """Sends one request and records the answer."""
        (game,) = self._rng.choices(self._games, self._game_weights)
        methods: list[Method] = ["GetOffer", "Score"]
        (method,) = self._rng.choices(methods, self._method_weights)
        name, answer, exception = f"{method} error", None, None
        began_s = time.perf_counter()
        try:
            answer = ask(self._address, method, game, self._draw(), self._deadline_s)
        except grpc.RpcError as error:
            exception = _Failed(f"{error.code().name}: {error.details()}")
        latency_ms = (time.perf_counter() - began_s) * 1000
        if answer is not None:
            name = f"{method} {offers_pb2.Source.Name(answer.source)}"
            self._stages.add(latency_ms, answer.timings)
        self.environment.events.request.fire(
            request_type="gRPC",
            name=name,
            response_time=latency_ms,
            response_length=answer.ByteSize() if answer is not None else 0,
            exception=exception,
            context={},
        )


class _Failed(Exception):
    """A gRPC error; locust groups failures by their text."""
