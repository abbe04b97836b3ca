"""Credentials are renewed beside the requests, which never wait for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError

from mesh.dynamodb import credentials
from mesh.dynamodb.credentials import credentials_of


@dataclass
class Source:
    """Credentials whose n-th issue is named n, obtained when the gate is open."""

    gate: asyncio.Event
    issued: int = 0
    fails: bool = False
    method: str = "test"

    async def load_credentials(self) -> Any:
        return self

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        await self.gate.wait()
        if self.fails:
            raise CredentialRetrievalError(provider="test", error_msg="the role is gone")
        self.issued += 1
        return ReadOnlyCredentials(str(self.issued), "secret", None)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "REFRESH_S", 0.001)


@pytest.fixture
def source() -> Source:
    opened = Source(asyncio.Event())
    opened.gate.set()
    return opened


def session_of(source: Any) -> AioSession:
    session = AioSession()
    session.register_component("credential_provider", source)
    return session


async def until(fact: Any) -> None:
    async with asyncio.timeout(5):
        while not fact():  # noqa: ASYNC110 (the renewal has no event)
            await asyncio.sleep(0.001)


async def test_new_credentials_are_taken_up(source: Source) -> None:
    found = await credentials_of(session_of(source))
    assert found.frozen.access_key == "1"
    async with found.renewed():
        await until(lambda: int(found.frozen.access_key) > 2)


async def test_a_renewal_that_hangs_leaves_the_last_ones_in_use(source: Source) -> None:
    found = await credentials_of(session_of(source))
    source.gate.clear()
    async with found.renewed():
        async with asyncio.timeout(5):
            assert (await found.get_frozen_credentials()).access_key == "1"


async def test_a_renewal_that_fails_is_logged_and_tried_again(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    found = await credentials_of(session_of(source))
    source.fails = True
    async with found.renewed():
        await until(lambda: "the role is gone" in caplog.text)
        source.fails = False
        await until(lambda: found.frozen.access_key == "2")


async def test_no_credentials_are_an_error_at_once() -> None:
    class Nobody:
        async def load_credentials(self) -> None:
            return None

    with pytest.raises(NoCredentialsError):
        await credentials_of(session_of(Nobody()))
