"""What every test shares: how far a property is tried."""

from __future__ import annotations

from hypothesis import settings

# No deadline an example: the machine may be busy. No database: a run leaves nothing behind.
settings.register_profile("mesh", deadline=None, max_examples=25, database=None)
settings.load_profile("mesh")
