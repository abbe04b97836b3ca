"""Shared by all tests: hypothesis settings and the fixtures of the real servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.emulators.fixtures import dynamodb_server, moto_server
from tests.emulators.s3 import s3_store

if TYPE_CHECKING:
    from tests.certificates import Certificates

__all__ = ["dynamodb_server", "moto_server", "s3_store"]

# No deadline per example, because the machine may be busy. No database, so that a run leaves no files behind.
# CI uses the same examples in every run; local runs try new ones.
settings.register_profile("mesh", deadline=None, max_examples=25, database=None, derandomize="CI" in os.environ)
settings.load_profile("mesh")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps models and proofs of the tests away from the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """A CA of its own, which writes certificates."""
    from tests.certificates import Certificates  # here, because its imports slow down tests without TLS

    return Certificates(tmp_path / "certificates")
