"""The simulated user: log-ins at a constant rate, each for a player drawn by popularity."""

from __future__ import annotations

import random
import time
from itertools import count
from typing import Any

import grpc
from locust import User, constant_throughput, task

from loadtest.game_inputs import is_unknown
from loadtest.swarm.calls import ask
from loadtest.swarm.draws import drawn
from loadtest.swarm.games import plays_of
from loadtest.swarm.options import target_of
from loadtest.swarm.stages import Stages
from loadtest.swarm.timeline import Timeline
from loadtest.workloads import Method
from mesh.wire import offers_pb2

PLAYERS_APART, GAMES_APART = 1_000_000, 1_000_000_000
_numbers = count()


class Player(User):
    """Records each answer by its source, so that tables show one row per source; a gRPC error is a failure."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        # Each worker process uses other seeds, so that the processes do not draw the same players in the same order.
        number = next(_numbers) + PLAYERS_APART * max(0, getattr(environment.runner, "worker_index", 0))
        self._pause = constant_throughput(options.player_rate)
        self._rng = random.Random(number)
        plays = plays_of(options)
        self._weights = [play.weight for play in plays]
        self._games = [
            (play.inputs, drawn(len(play.inputs.player_ids), options.zipf, number + place * GAMES_APART))
            for place, play in enumerate(plays)
        ]
        self._method_weights = [options.get_offer_weight, options.score_weight]
        self._deadline_s = options.deadline_ms / 1000
        self._target = target_of(environment.host, options)
        self._stages: Stages = environment.stages
        self._timeline: Timeline = environment.timeline

    def wait_time(self) -> float:
        """The seconds until the next log-in at the constant rate."""
        return float(self._pause(self))

    @task
    def log_in(self) -> None:
        """Sends one request and records the answer."""
        ((inputs, draw),) = self._rng.choices(self._games, self._weights)
        method = self._method() if inputs.has_offers else "Score"
        source, answer, exception = "error", None, None
        began_s = time.perf_counter()
        try:
            answer = ask(self._target, inputs, method, draw(), self._deadline_s)
        except grpc.RpcError as error:
            exception = _Failed(f"{error.code().name}: {error.details()}")
        latency_ms = (time.perf_counter() - began_s) * 1000
        if answer is not None:
            source = offers_pb2.Source.Name(answer.source)
            self._stages.add(latency_ms, answer.timings)
        self._timeline.add(source, latency_ms, is_unknown=answer is not None and is_unknown(answer))
        self.environment.events.request.fire(
            request_type="gRPC",
            name=f"{method} {source}",
            response_time=latency_ms,
            response_length=answer.ByteSize() if answer is not None else 0,
            exception=exception,
            context={},
        )

    def _method(self) -> Method:
        methods: list[Method] = ["GetOffer", "Score"]
        return self._rng.choices(methods, self._method_weights)[0]


class _Failed(Exception):
    """A gRPC error; locust groups failures by their text."""
