"""The code that the supervisor and the model workers share, and the `mesh` command."""

import os

__version__ = "0.1.0"

# gRPC reads these variables once, when it is imported, so they are set here (docs/decisions/0003-grpc-settings.md).
# The older poller of gRPC uses 20 % to 33 % less CPU per message than the event engine, and wakes fewer threads.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
# gRPC would also print each failure, but the call returns it as an error, which is logged once.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# gRPC's handlers of fork() stop its threads whenever a process is started, and have crashed the supervisor when it
# started the writer of its log. Our processes only fork to run another program, which needs no handlers.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
