from __future__ import annotations

import asyncio
import hashlib
import math
import struct
from pathlib import Path
from typing import Any

import grpc

from mesh.serving import lane_options
from mesh.wire import inference_pb2_grpc
from model_worker.structure import find_fault
from tests.forests import TrainedForest
from tests.model_worker.damage import COPIES, Damage, damaged_copies
from tests.model_worker.processes import EndedWorker, RunningWorker, ended, run, start
from tests.model_worker.requests import raw_request

AT_ONCE = 4
WITHOUT_DIGEST = 40


async def test_two_hundred_damaged_copies_are_refused_by_their_digest(binary: TrainedForest, tmp_path: Path) -> None:
    model = binary.path.read_bytes()
    copies = damaged_copies(model)
    assert len(copies) == COPIES
    assert len({copy.model for copy in copies} | {model}) == COPIES + 1
    digest, turns = hashlib.sha256(model).hexdigest(), asyncio.Semaphore(AT_ONCE)

    async def refused(number: int, copy: Damage) -> None:
        path = tmp_path / f"{number}.txt"
        path.write_bytes(copy.model)
        async with turns:
            left = await ended(await run("--name", "forest", "--uri", str(path), "--sha256", digest))
        assert (left.code, left.stdout, left.stderr.count("\n")) == (3, "", 1), copy.name
        assert "its SHA-256 is" in left.stderr, copy.name

    await asyncio.gather(*(refused(number, copy) for number, copy in enumerate(copies)))


async def test_without_a_digest_a_damaged_copy_is_refused_or_serves_finite_scores(
    binary: TrainedForest, tmp_path: Path
) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def refused_or_sound(number: int, copy: Damage) -> bool:
        path = tmp_path / f"{number}.txt"
        path.write_bytes(copy.model)
        async with turns:
            outcome = await start(path)
            if isinstance(outcome, RunningWorker):
                await check_scores(outcome, binary, copy)
                return False
        assert (outcome.code, outcome.stdout, outcome.stderr.count("\n")) == (3, "", 1), (copy.name, outcome)
        return True

    chosen = selected(damaged_copies(binary.path.read_bytes()))
    assert len(chosen) == WITHOUT_DIGEST
    refusals = await asyncio.gather(*(refused_or_sound(number, copy) for number, copy in enumerate(chosen)))
    assert any(refusals)
    assert not all(refusals)


def selected(copies: list[Damage]) -> list[Damage]:
    """Returns copies without a fault in their structure first, because only they reach LightGBM; then some others."""
    looks_sound = [copy for copy in copies if find_fault(copy.model) is None]
    broken = [copy for copy in copies if find_fault(copy.model) is not None]
    chosen = looks_sound[: WITHOUT_DIGEST // 2]
    return chosen + broken[:: len(broken) // WITHOUT_DIGEST][: WITHOUT_DIGEST - len(chosen)]


async def check_scores(worker: RunningWorker, trained: TrainedForest, copy: Damage) -> None:
    """Asserts that a worker with a damaged copy gives finite scores and exits with 0."""
    async with grpc.aio.insecure_channel(worker.address, options=lane_options()) as channel:
        stub: Any = inference_pb2_grpc.GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]
        response = await stub.ModelInfer(raw_request(trained.rows.tobytes(), trained.rows.shape), timeout=30)
    scores = struct.unpack(f"<{len(trained.rows)}d", response.raw_output_contents[0])
    assert all(map(math.isfinite, scores)), copy.name
    code, stderr = await worker.stop()
    assert code == 0, (copy.name, stderr)


async def test_cycle_is_refused_by_its_structure(binary: TrainedForest, tmp_path: Path) -> None:
    model = binary.path.read_bytes()
    start_of = model.index(b"left_child=") + len(b"left_child=")
    path = tmp_path / "cycle.txt"
    path.write_bytes(model[:start_of] + b"0" + model[start_of + 1 :])
    outcome = await start(path)
    assert isinstance(outcome, EndedWorker)
    assert outcome.code == 3
    assert "the child indices do not form a tree" in outcome.stderr
