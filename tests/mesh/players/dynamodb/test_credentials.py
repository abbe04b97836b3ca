"""Renewal of credentials in the background."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError

from mesh.errors import Misconfigured
from mesh.players.dynamodb import credentials
from mesh.players.dynamodb.client import open_client, open_reader
from mesh.players.dynamodb.credentials import credentials_of
from mesh.players.settings import DynamoFeatures


@dataclass
class Source:
    """A source of credentials: the n-th access key is n; a request waits until the gate is open."""

    gate: asyncio.Event
    issued: int = 0
    fails: bool = False
    failure: Exception = field(default_factory=lambda: json.JSONDecodeError("the role is gone", "", 0))
    method: str = "test"

    async def load_credentials(self) -> Any:
        return self

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        await self.gate.wait()
        if self.fails:
            raise self.failure
        self.issued += 1
        return ReadOnlyCredentials(str(self.issued), "secret", None)


@pytest.fixture(autouse=True)
def frequent_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_renewed_credentials_are_used(source: Source) -> None:
    found = await credentials_of(session_of(source))
    assert found.frozen.access_key == "1"
    async with found.keep_renewed():
        await until(lambda: int(found.frozen.access_key) > 2)


async def test_current_credentials_are_used_while_a_renewal_hangs(source: Source) -> None:
    found = await credentials_of(session_of(source))
    source.gate.clear()
    async with found.keep_renewed():
        async with asyncio.timeout(5):
            assert (await found.get_frozen_credentials()).access_key == "1"


async def test_failed_renewal_is_logged_and_retried(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    found = await credentials_of(session_of(source))
    source.fails = True
    async with found.keep_renewed():
        await until(lambda: "the role is gone" in caplog.text)
        source.fails = False
        await until(lambda: found.frozen.access_key == "2")


async def test_client_of_aiobotocore_renews_its_credentials(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(source)
    monkeypatch.setattr("mesh.players.dynamodb.client.AioSession", lambda: session)
    async with open_client(DynamoFeatures(store="dynamodb", table="players", region="eu-west-1")):
        await until(lambda: source.issued > 3)


@pytest.mark.parametrize(
    "setting", [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere"), ("AWS_PROFILE", "nobody"), ("AWS_CONFIG_FILE", "garbage")]
)
async def test_invalid_settings_are_reported_in_one_sentence(
    setting: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/mesh")
    (tmp_path / "garbage").write_text("[default]\ncredential_process = /bin/echo garbage\n")
    monkeypatch.setenv(setting[0], str(tmp_path / "garbage") if setting[1] == "garbage" else setting[1])
    with pytest.raises(Misconfigured, match=r"cannot get the AWS credentials: .*; check AWS_PROFILE"):
        async with open_reader(DynamoFeatures(store="dynamodb", table="players", region="eu-west-1")):
            pass


async def test_missing_credentials_are_an_error() -> None:
    class Nobody:
        async def load_credentials(self) -> None:
            return None

    with pytest.raises(NoCredentialsError):
        await credentials_of(session_of(Nobody()))
