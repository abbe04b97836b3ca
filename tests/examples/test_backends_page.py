"""The snippets about TLS and tokens in docs/backends.md, run against servers with TLS, or compiled."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import inspect
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from mesh.tls.channel import ClientSecurity, open_aio_channel
from mesh.tls.live import LiveTls
from mesh.tls.peer import peer_names
from mesh.tls.renewed_channel import RenewedChannel
from mesh.wire import offers_pb2, offers_pb2_grpc
from tests.certificates import CLIENT_NAME, SERVER_NAME, Certificates
from tests.mesh.cli.offers_server import serving
from tests.tools import ROOT

PAGE = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")
MODULES = ROOT / "build" / "node" / "node_modules"
BUILD_S = 280
MUTUAL, TOKENS = "mesh.example:9000", "mesh.example:9001"


def snippet(language: str, containing: str) -> str:
    """The code block of the page in `language` that contains a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found)


class Mesh(offers_pb2_grpc.OffersServicer):
    """Records who asks."""

    def __init__(self) -> None:
        self.mutual = self.tokens = ""
        self.seen: list[tuple[set[str], object]] = []

    def GetOffer(self, _: object, context: grpc.ServicerContext) -> offers_pb2.GetOfferResponse:
        names = peer_names(context.auth_context())  # type: ignore[arg-type]  # wrong stub
        self.seen.append((set(names), dict(context.invocation_metadata() or ()).get("authorization")))
        return offers_pb2.GetOfferResponse()

    def at(self, code: str) -> str:
        """The code with the addresses and the name of this mesh."""
        code = code.replace("supervisor.dragonfall.mesh", SERVER_NAME)
        return code.replace(MUTUAL, self.mutual).replace(TOKENS, self.tokens)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("very-secret\n")
    return tmp_path


@pytest.fixture
def mesh(folder: Path) -> Iterator[Mesh]:
    """A mesh at two addresses; `folder` has the files of the snippets: lobby.pem, lobby.key, ca.pem, token."""
    certificates, served = Certificates(folder), Mesh()
    certificates.files("lobby", CLIENT_NAME)
    live = LiveTls(certificates.server())
    with (
        serving(served, 2, live.server_credentials()) as served.mutual,
        serving(served, 2, live.server_credentials(require_client=False)) as served.tokens,
    ):
        yield served


def names_in(folder: Path) -> dict[str, Any]:
    """The names that the Python snippets use."""
    files = {"ca": "ca.pem", "cert": "lobby.pem", "key": "lobby.key", "token_file": "token"}
    return {"grpc": grpc, **{name: folder / file for name, file in files.items()}}


def test_python_channels(mesh: Mesh, folder: Path) -> None:
    names = names_in(folder)
    mutual, tokens = mesh.at(snippet("python", "ssl_target_name_override")).split("# or, with a token")
    for code in (mutual, f"#{tokens}"):
        exec(code, names)
        with names["channel"] as channel:
            offers_pb2_grpc.OffersStub(channel).GetOffer(offers_pb2.GetOfferRequest(), timeout=5.0)  # type: ignore[no-untyped-call]
    assert mesh.seen == [({CLIENT_NAME}, None), (set(), "Bearer very-secret")]


async def test_python_channel_that_follows_the_certificate(mesh: Mesh, folder: Path) -> None:
    code = mesh.at(snippet("python", "RenewedChannel")).replace("timeout=0.2", "timeout=5")
    known = (ClientSecurity, RenewedChannel, open_aio_channel)
    names = {**names_in(folder), **{one.__name__: one for one in known}, "asyncio": asyncio}
    names |= {"offers_pb2_grpc": offers_pb2_grpc, "request": offers_pb2.GetOfferRequest()}
    running = eval(compile(code, "backends.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    assert inspect.iscoroutine(running)
    await running
    names["watching"].cancel()
    await names["offers"].close()
    assert mesh.seen == [({CLIENT_NAME}, None)]


def test_node_client(mesh: Mesh, folder: Path) -> None:
    node = shutil.which("node")
    if node is None or not (MODULES / "@grpc" / "grpc-js").is_dir():
        pytest.skip("node or @grpc/grpc-js is not installed; run `make test-servers`")
    contract = ROOT / "protos" / "offers.proto"
    before = (
        'const fs = require("node:fs"), grpc = require("@grpc/grpc-js"), loader = require("@grpc/proto-loader");\n'
        f'const {{ mesh }} = grpc.loadPackageDefinition(loader.loadSync("{contract}"));\n'
    )
    after = "offers.GetOffer({}, (error) => { if (error) throw error; offers.close(); });"
    code = before + mesh.at(snippet("js", "createSsl")) + after
    environment = {**os.environ, "NODE_PATH": str(MODULES)}
    done = subprocess.run([node, "-e", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert mesh.seen == [({CLIENT_NAME}, None)]


GO_PROGRAM = """package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

func main() {
	if _, err := dial("", "", "", "", ""); err == nil {
		panic("no file")
	}
}

"""


@pytest.mark.whole_machine  # the first build takes minutes of CPU
@pytest.mark.timeout(300)
def test_go_client_compiles(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is not installed")
    for name in ("go.mod", "go.sum"):
        shutil.copy(ROOT / "clients" / "go" / name, tmp_path)
    (tmp_path / "main.go").write_text(GO_PROGRAM + snippet("go", "GetClientCertificate"))
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    done = subprocess.run(
        [go, "run", "."], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=BUILD_S, check=False
    )
    if "module lookup disabled" in done.stderr:
        pytest.skip("the modules of clients/go are not downloaded; run `go mod download` there")
    assert done.returncode == 0, done.stderr


def test_printed_hash_is_that_of_the_token(tmp_path: Path) -> None:
    found = re.search(r"`(openssl rand .*?)`", PAGE)
    assert found is not None
    done = subprocess.run(["sh", "-e", "-c", found[1]], cwd=tmp_path, capture_output=True, text=True, check=True)
    token = (tmp_path / "token").read_text().strip()
    assert done.stdout.split()[0] == hashlib.sha256(token.encode()).hexdigest()
