"""Starts the DynamoDB emulators; moto also serves S3."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import MappingProxyType

from emulators.processes import Server, serving

BUILD = Path(__file__).parent.parent / "build"
LOCAL = BUILD / "dynamodb-local"
DYNALITE = BUILD / "node" / "node_modules" / "dynalite" / "cli.js"

# AWS clients require credentials and a region; none of these servers checks them.
CREDENTIALS: Mapping[str, str] = MappingProxyType(
    {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-west-1"}
)


def use_credentials() -> None:
    """Sets the credentials in the environment of this process and of its child processes, as in a pod."""
    os.environ["AWS_ACCESS_KEY_ID"] = CREDENTIALS["aws_access_key_id"]
    os.environ["AWS_SECRET_ACCESS_KEY"] = CREDENTIALS["aws_secret_access_key"]


class NotInstalled(Exception):
    """A server is not installed; the message names the server and the command that installs it."""


@contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """DynamoDB and S3 in Python; always installed. Unlike AWS, it returns batches in the order of the request."""
    program = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p")
    with serving("moto", lambda port: (*program, str(port)), folder / "moto.log") as server:
        yield server


@contextmanager
def dynamodb_local(folder: Path) -> Iterator[Server]:
    """DynamoDB Local, the emulator of AWS. Raises NotInstalled."""
    java = _program("java", "DynamoDB Local")
    if not any(LOCAL.glob("DynamoDBLocal-*.jar")):
        raise NotInstalled("DynamoDB Local is not installed; run `make test-servers`")
    program = (
        java,
        f"-Djava.library.path={LOCAL}",
        "-cp",
        f"{LOCAL}/*",
        str(Path(__file__).with_name("LoopbackDynamoDB.java")),
        "-inMemory",
        "-disableTelemetry",
        "-port",
    )
    with serving("dynamodb-local", lambda port: (*program, str(port)), folder / "dynamodb-local.log") as server:
        yield server


@contextmanager
def dynalite(folder: Path) -> Iterator[Server]:
    """DynamoDB in Node; like AWS, it refuses duplicate keys and shuffles batches. Raises NotInstalled."""
    node = _program("node", "dynalite")
    if not DYNALITE.is_file():
        raise NotInstalled("dynalite is not installed; run `make test-servers`")
    program = (node, str(DYNALITE), "--host", "127.0.0.1", "--createTableMs", "0", "--port")
    with serving("dynalite", lambda port: (*program, str(port)), folder / "dynalite.log") as server:
        yield server


DYNAMODB: Mapping[str, Callable[[Path], AbstractContextManager[Server]]] = MappingProxyType(
    {"moto": moto, "dynamodb-local": dynamodb_local, "dynalite": dynalite}
)


def _program(name: str, needed_by: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"{name} is not installed, but {needed_by} needs it")
    return path
