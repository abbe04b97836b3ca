"""The generated stubs share a process with other stubs for the same names; each case is a new process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from grpc_tools import protoc

ROOT = Path(__file__).parent.parent.parent
MODULES = ("mesh.wire.inference_pb2", "mesh.wire.offers_pb2")


def run(code: str, *folders: Path) -> str:
    """Runs `code` in a new Python process that finds modules in `folders`; returns its output."""
    program = f"import sys; sys.path[:0] = {[str(one) for one in (*folders, ROOT)]!r}\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    "modules",
    [
        ("mesh.wire.inference_pb2_grpc", "tritonclient.grpc"),
        ("tritonclient.grpc", "mesh.wire.inference_pb2_grpc"),
        ("mesh.wire.offers_pb2_grpc", "tritonclient.grpc"),
    ],
)
def test_stubs_and_tritonclient_share_a_process(modules: tuple[str, str]) -> None:
    exchange = """
from mesh.wire import inference_pb2 as ours
from tritonclient.grpc import service_pb2 as theirs
sent = ours.ModelInferRequest(model_name="whales", raw_input_contents=[b"1234"])
sent.parameters["timeout"].int64_param = 7
read = theirs.ModelInferRequest.FromString(sent.SerializeToString())
back = ours.ModelInferRequest.FromString(read.SerializeToString())
print(read.model_name, read.parameters["timeout"].int64_param, back == sent)
"""
    assert run(f"import {', '.join(modules)}\n{exchange}") == "whales 7 True"


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_stubs_and_a_backends_own_stubs_of_the_contracts_share_a_process(first: str, tmp_path: Path) -> None:
    contracts = ["offers.proto", "inference.proto"]
    assert protoc.main(["protoc", f"-I{ROOT / 'protos'}", f"--python_out={tmp_path}", *contracts]) == 0
    theirs = [f"{Path(contract).stem}_pb2" for contract in contracts]
    modules = [*MODULES, *theirs] if first == "ours" else [*theirs, *MODULES]
    code = f"import {', '.join(modules)}\nimport offers_pb2\nprint(offers_pb2.ScoreRequest(game='g').game)"
    assert run(code, tmp_path) == "g"
