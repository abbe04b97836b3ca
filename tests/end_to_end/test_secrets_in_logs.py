"""No secret of the environment is in the output of a process, not even at the level debug or after failures."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from mesh.wire import offers_pb2 as wire
from mesh.wire import offers_pb2_grpc
from tests.emulators import s3
from tests.forests import train
from tests.started_mesh import MESH

pytestmark = pytest.mark.whole_machine

WITHIN_S = 60.0
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDPLANTED01",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-key-7Qx",
    "AWS_SESSION_TOKEN": "planted-session-token-9Zt",
    "MESH_PLAYER_KEY": "planted-player-key-3Kd",
    "MESH_TOKEN": "planted-bearer-token-5Rw",
}
PASSWORD = "planted-password-1Bv"
CATALOG = """\
game: secretive
budget_ms: 5000
features: {path: players.sqlite, timeout_ms: 1000}
offers: {table: "offer_id,price\\na,1\\n", fallback: a}
decisions: {to: s3://secretive-log/here, flush_s: 1, players: hashed}
versions:
  v: {reference: s3://secretive-models/missing.json, models: [{name: m, uri: s3://secretive-models/m.txt}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_store: s3.S3) -> Path:
    """A game whose model and decision log are in S3."""
    s3.use(monkeypatch, s3_store.endpoint)
    for bucket in ("secretive-models", "secretive-log"):
        s3_store.make_bucket(bucket)
    s3_store.put("secretive-models", "m.txt", train("binary", tmp_path).path.read_bytes())
    rows = "\n".join(f"p{number},{','.join(map(str, np.arange(6) + number))}" for number in range(3))
    (tmp_path / "players.csv").write_text(f"player_id,{','.join(f'Column_{place}' for place in range(6))}\n{rows}\n")
    (tmp_path / "mesh.yaml").write_text(CATALOG)
    subprocess.run([*MESH, "features", "load", "players.csv", "--catalog", "mesh.yaml"], check=True, cwd=tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def start(environment: Mapping[str, str], *command: str) -> asyncio.subprocess.Process:
    pipe, env = asyncio.subprocess.PIPE, {**os.environ, **SECRETS, **environment}
    return await asyncio.create_subprocess_exec(sys.executable, "-m", *command, stdout=pipe, stderr=pipe, env=env)


async def ready(process: asyncio.subprocess.Process) -> tuple[dict[str, object], str]:
    """The ready line of a process, parsed and as it is."""
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), WITHIN_S)).decode()
    found: dict[str, object] = json.loads(line)
    return found, line


async def output(process: asyncio.subprocess.Process) -> str:
    """Ends a process; returns what it has written."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    return (out + err).decode()


async def ask(address: str) -> str:
    """An answer, and the refusals of wrong requests."""
    authorization = (("authorization", f"Bearer {SECRETS['MESH_TOKEN']}"),)
    async with grpc.aio.insecure_channel(address) as channel:
        offers: Any = offers_pb2_grpc.OffersStub(channel)  # type: ignore[no-untyped-call]
        request = wire.GetOfferRequest(game="secretive", player_id="p1")
        answer = await offers.GetOffer(request, timeout=WITHIN_S, metadata=authorization)
        wrong = wire.GetOfferRequest(game="secretive\n2026-01-01 INFO forged", player_id="\x1b[2J")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await offers.GetOffer(wrong, timeout=WITHIN_S, metadata=authorization)
    assert answer.source == wire.ENSEMBLE, answer
    return f"{answer} {caught.value.details()}"


async def log_is_written(store: s3.S3) -> None:
    async with asyncio.timeout(WITHIN_S):
        found = 0
        while not found:  # another process writes it
            listing = store.client.list_objects_v2(Bucket="secretive-log", Prefix="here/decisions")
            found = listing.get("KeyCount", 0) or await asyncio.sleep(0.2, 0)


def check(written: str) -> None:
    for name, secret in {**SECRETS, "password": PASSWORD}.items():
        assert secret not in written, name
    assert "\x1b" not in written
    assert not [line for line in written.splitlines() if line.startswith("2026-01-01 INFO forged")]


async def test_services_that_work_write_no_secret_at_the_level_debug(folder: Path, s3_store: s3.S3) -> None:
    debug = ("--log-level", "debug")
    worker = await start({}, "model_worker", "--name", "m", "--uri", "s3://secretive-models/m.txt", *debug)
    facts, written = await ready(worker)
    endpoints = {"secretive": {"v": {"m": [f"127.0.0.1:{facts['port']}"]}}}
    (folder / "endpoints.json").write_text(json.dumps(endpoints))
    options = ("--catalog", "mesh.yaml", "--endpoints", "endpoints.json", "--ready-within-s", "60")
    supervisor = await start({}, "supervisor", *options, *debug)
    try:
        facts, line = await ready(supervisor)
        written += line + await ask(str(facts["address"]))
        await log_is_written(s3_store)
    finally:
        written += await output(supervisor) + await output(worker)
    assert "DEBUG" in written
    assert "secretive-models/missing.json" in written  # the failure of the reference is logged
    check(written)


@pytest.mark.usefixtures("folder")
async def test_failures_write_no_secret() -> None:
    broken = {"AWS_ENDPOINT_URL_S3": f"http://me:{PASSWORD}@127.0.0.1:9", "MESH_PLAYER_KEY": SECRETS["MESH_PLAYER_KEY"]}
    fetch = ("--fetch-s", "2", "--log-level", "debug")
    worker = await start(broken, "model_worker", "--name", "m", "--uri", "s3://secretive-models/m.txt", *fetch)
    supervisor = await start(broken, "supervisor", "--catalog", "mesh.yaml", "--log-level", "debug")
    mesh = await start(broken, "mesh.cli.main", "decisions", "report", "s3://secretive-log/here")
    try:
        out, err = await asyncio.wait_for(worker.communicate(), WITHIN_S)
        _, line = await ready(supervisor)
        written = (out + err).decode() + line
    finally:
        written += await output(mesh) + await output(supervisor)
    assert "secretive-models/m.txt" in written
    check(written)
