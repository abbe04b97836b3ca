"""`locust -f loadtest/locustfile.py --host 127.0.0.1:7000`: players who log in, against a running mesh."""

from __future__ import annotations

import grpc.experimental.gevent
from locust import events

from loadtest.swarm import watching
from loadtest.swarm.options import add_options
from loadtest.swarm.player import Player
from loadtest.swarm.scenarios import Scenario

# Before the first channel is made: from then on gRPC waits the way locust's greenlets do.
grpc.experimental.gevent.init_gevent()
events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(watching.attach)

__all__ = ["Player", "Scenario"]  # what locust looks for
