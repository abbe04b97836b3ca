"""The servers as fixtures, each started once a run; `tests/conftest.py` hands them to every test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from emulators import aws
from emulators.processes import Server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """DynamoDB and S3; tests share it, so that each makes tables and buckets of its own name."""
    with aws.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session", params=aws.DYNAMODB)
def dynamodb_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Every DynamoDB server that is there, one after the other; a missing one skips with a word."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(aws.DYNAMODB[request.param](tmp_path_factory.mktemp(request.param)))
        except aws.NotInstalled as missing:
            pytest.skip(str(missing))
        yield server
