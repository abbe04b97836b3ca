"""A client of moto's S3, and the environment variables by which programs find the store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.session import get_session

from emulators.aws import CREDENTIALS
from emulators.processes import Server

_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_NO_OTHER_SOURCES = {
    "AWS_REGION": CREDENTIALS["region_name"],
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True)
class S3:
    """A running store, and a botocore client for it."""

    endpoint: str
    client: Any

    def make_bucket(self, name: str) -> None:
        """Creates the bucket unless it exists."""
        with contextlib.suppress(self.client.exceptions.BucketAlreadyOwnedByYou):
            region = {"LocationConstraint": CREDENTIALS["region_name"]}
            self.client.create_bucket(Bucket=name, CreateBucketConfiguration=region)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def get(self, bucket: str, key: str) -> bytes | None:
        """The content of the object; None if it does not exist."""
        try:
            return bytes(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except self.client.exceptions.NoSuchKey:
            return None


@pytest.fixture(scope="session")
def s3_store(moto_server: Server) -> Iterator[S3]:
    """moto's S3. Tests share it, so each test uses buckets with names of its own."""
    with contextlib.closing(
        get_session().create_client("s3", endpoint_url=moto_server.endpoint, **CREDENTIALS)
    ) as client:
        yield S3(moto_server.endpoint, client)


def use(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Makes this test and its child processes use the store at `endpoint` and no settings of the machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**_KEYS, **_NO_OTHER_SOURCES, "AWS_ENDPOINT_URL_S3": endpoint}.items():
        monkeypatch.setenv(name, value)


def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the credentials from the environment."""
    for name in _KEYS:
        monkeypatch.delenv(name)
