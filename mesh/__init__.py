"""What the supervisor and the model workers must say alike, and the `mesh` command."""

import os

__version__ = "0.1.0"

# gRPC reads this once, when it is imported, so it must be said before: its classic poller moves a message for a third
# less CPU than the event engine (docs/decisions/0003-grpc-settings.md).
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
