"""What every test shares: how far a property is tried, and the real servers."""

from __future__ import annotations

import os

from hypothesis import settings

from tests.emulators.fixtures import dynamodb_server, moto_server
from tests.emulators.s3 import s3_store

__all__ = ["dynamodb_server", "moto_server", "s3_store"]

# No deadline an example: the machine may be busy. No database: a run leaves nothing behind.
# The same examples at every run of CI: what a new one finds is for whoever runs the tests at their desk.
settings.register_profile("mesh", deadline=None, max_examples=25, database=None, derandomize="CI" in os.environ)
settings.load_profile("mesh")
