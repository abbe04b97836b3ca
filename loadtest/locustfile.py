"""`locust -f loadtest/locustfile.py --host 127.0.0.1:7000`: simulates players who log in, against a running mesh."""

from __future__ import annotations

import grpc.experimental.gevent
from locust import events

from loadtest.swarm.listeners import attach
from loadtest.swarm.options import add_options
from loadtest.swarm.player import Player
from loadtest.swarm.scenarios import Scenario

# Must run before the first channel is made: it makes gRPC wait in the way of locust's greenlets.
grpc.experimental.gevent.init_gevent()
events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(attach)

__all__ = ["Player", "Scenario"]  # the names that locust looks for
