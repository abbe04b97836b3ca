"""Session fixtures for the servers; `tests/conftest.py` makes them available to every test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from emulators import aws
from emulators.processes import Server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """DynamoDB and S3. Tests share this server, so each test uses tables and buckets with names of its own."""
    with aws.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session", params=aws.DYNAMODB)
def dynamodb_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each DynamoDB server in turn; skips the servers that are not installed."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(aws.DYNAMODB[request.param](tmp_path_factory.mktemp(request.param)))
        except aws.NotInstalled as missing:
            pytest.skip(str(missing))
        yield server
