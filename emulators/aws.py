"""The servers that speak DynamoDB's protocol (and moto's S3): how each is found, and how it is started."""

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

# What an AWS client must be given, though none of these servers looks at it.
CREDENTIALS: Mapping[str, str] = MappingProxyType(
    {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-west-1"}
)


def use_credentials() -> None:
    """From now on this program and what it starts find them as a pod does: in the environment."""
    os.environ["AWS_ACCESS_KEY_ID"] = CREDENTIALS["aws_access_key_id"]
    os.environ["AWS_SECRET_ACCESS_KEY"] = CREDENTIALS["aws_secret_access_key"]


class NotInstalled(Exception):
    """A server that this machine does not have; the text says which, and how to get it."""


@contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """DynamoDB and S3 in Python: always there. Answers batches in the request's order, which the real one does not."""
    program = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p")
    with serving("moto", lambda port: (*program, str(port)), folder / "moto.log") as server:
        yield server


@contextmanager
def dynamodb_local(folder: Path) -> Iterator[Server]:
    """AWS's own emulator; raises NotInstalled where it is missing."""
    java = _program("java", "DynamoDB Local")
    if not any(LOCAL.glob("DynamoDBLocal-*.jar")):
        raise NotInstalled("DynamoDB Local is not installed (make test-servers)")
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
    """DynamoDB in Node, with the real one's refusals and shuffled batches; raises NotInstalled where it is missing."""
    node = _program("node", "dynalite")
    if not DYNALITE.is_file():
        raise NotInstalled("dynalite is not installed (make test-servers)")
    program = (node, str(DYNALITE), "--host", "127.0.0.1", "--createTableMs", "0", "--port")
    with serving("dynalite", lambda port: (*program, str(port)), folder / "dynalite.log") as server:
        yield server


DYNAMODB: Mapping[str, Callable[[Path], AbstractContextManager[Server]]] = MappingProxyType(
    {"moto": moto, "dynamodb-local": dynamodb_local, "dynalite": dynalite}
)


def _program(name: str, needed_by: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"{name} is not installed, which {needed_by} needs: there is no {needed_by} here")
    return path
