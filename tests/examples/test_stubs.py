"""The commands of docs/backends.md that generate stubs, run as they are documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import FOLDERS, ROOT, tool

GUIDE = ROOT / "docs" / "backends.md"
WITHIN_S = 60


def documented(language: str) -> str:
    """The command of the guide for `language`: the code block that follows the language's name in bold."""
    found = re.search(rf"\*\*{language}\*\*.*?```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None, f"docs/backends.md has no command for {language}"
    return found[1]


def generated(language: str, folder: Path) -> dict[str, str]:
    """Runs the documented command in `folder`, beside a link to protos/; returns the new files and their text."""
    (folder / "protos").symlink_to(ROOT / "protos")
    python = str(Path(sys.executable).parent)  # has grpcio-tools
    path = os.pathsep.join((*map(str, FOLDERS), python, os.environ["PATH"]))
    command = ["sh", "-e", "-c", documented(language)]
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=WITHIN_S)
    assert done.returncode == 0, done.stderr
    files = (path for path in (folder / "gen").rglob("*") if path.is_file())
    return {str(path.relative_to(folder / "gen")): path.read_text() for path in files}


def test_stubs_for_go(tmp_path: Path) -> None:
    tool("protoc", "install Maven and run `make grpc-tools`")
    tool("protoc-gen-go", "install Go and run `make grpc-tools`")
    stubs = generated("Go", tmp_path)
    assert set(stubs) == {"offers/v1/offers.pb.go", "offers/v1/offers_grpc.pb.go"}
    assert all("\npackage offersv1\n" in code for code in stubs.values())
    assert "type OffersClient interface {" in stubs["offers/v1/offers_grpc.pb.go"]


def test_stubs_for_java(tmp_path: Path) -> None:
    tool("protoc", "install Maven and run `make grpc-tools`")
    tool("protoc-gen-grpc-java", "install Maven and run `make grpc-tools`")
    stubs = generated("Java", tmp_path)
    wanted = {"GetOfferRequest", "GetOfferResponse", "Source", "OffersProto", "OffersGrpc"}
    assert {f"ensemblemesh/offers/v1/{name}.java" for name in wanted} <= set(stubs)
    assert all("package ensemblemesh.offers.v1;" in code for code in stubs.values())


def test_stubs_for_csharp(tmp_path: Path) -> None:
    tool("protoc", "install Maven and run `make grpc-tools`")
    stubs = generated("C#", tmp_path)
    assert "namespace EnsembleMesh.Offers.V1" in stubs["Offers.cs"]


def test_types_for_node(tmp_path: Path) -> None:
    generator = ROOT / "build" / "node" / "node_modules" / ".bin" / "proto-loader-gen-types"
    if not generator.exists():
        pytest.skip("@grpc/proto-loader is not installed; run `make test-servers`")
    (tmp_path / "node_modules").symlink_to(generator.parent.parent)
    stubs = generated("Node", tmp_path)
    assert "interface OffersClient extends grpc.Client" in stubs["mesh/v1/Offers.ts"]


def test_stubs_for_python(tmp_path: Path) -> None:
    assert {"offers_pb2.py", "offers_pb2_grpc.py"} <= set(generated("Python", tmp_path))
