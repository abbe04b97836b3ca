"""Worker processes with a model in S3: with moto, and with a store that fails."""

from __future__ import annotations

import asyncio
import hashlib
import signal
from pathlib import Path

import grpc
import pytest

from mesh.golden import encode
from mesh.serving import lane_options
from model_worker.s3.part import try_lock
from tests.emulators import s3
from tests.forests import TrainedForest
from tests.golden_rows import golden_of
from tests.model_worker.faulty_store import cut, refuse, stall, store
from tests.model_worker.processes import EndedWorker, RunningWorker, ended, run, start
from tests.model_worker.test_process import inference, request_for

pytestmark = pytest.mark.whole_machine  # real time limits

URI = "s3://workers/forest.txt"
FIND_S = 30


@pytest.fixture
def in_s3(s3_store: s3.S3, binary: TrainedForest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Puts the model into S3; returns its SHA-256."""
    s3.use(monkeypatch, s3_store.endpoint)
    model = binary.path.read_bytes()
    s3_store.make_bucket("workers")
    s3_store.put("workers", "forest.txt", model)
    return hashlib.sha256(model).hexdigest()


@pytest.mark.parametrize("pinned", [True, False])
async def test_worker_serves_a_model_from_s3(pinned: bool, in_s3: str, binary: TrainedForest, tmp_path: Path) -> None:
    worker = await start_on(URI, tmp_path, *(["--sha256", in_s3] if pinned else []))
    assert isinstance(worker, RunningWorker), worker
    assert await scores_of(worker, binary) == binary.scores(binary.rows[:8]).tobytes()
    await worker.stop()
    assert names(tmp_path) == [in_s3]


async def test_worker_does_not_keep_the_aws_client_in_memory(in_s3: str, tmp_path: Path) -> None:
    worker = await start_on(URI, tmp_path, "--sha256", in_s3)
    assert isinstance(worker, RunningWorker), worker
    mapped, children = proc(worker, "maps"), proc(worker, f"task/{worker.process.pid}/children")
    await worker.stop()
    assert "_engine" in mapped or "_lightgbm" in mapped
    assert ("aiohttp" in mapped, children) == (False, "")


async def test_cached_model_needs_no_store(in_s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await start_on(URI, tmp_path, "--sha256", in_s3)
    assert isinstance(first, RunningWorker), first
    await first.stop()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    second = await start_on(URI, tmp_path, "--sha256", in_s3)
    assert isinstance(second, RunningWorker), second
    await second.stop()


async def test_golden_rows_come_from_s3_and_then_from_the_cache(
    in_s3: str, s3_store: s3.S3, binary: TrainedForest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = encode(golden_of(binary))
    s3_store.put("workers", "forest.golden.jsonl", rows)
    digests = ("--sha256", in_s3, "--golden-sha256", hashlib.sha256(rows).hexdigest())
    for endpoint in (None, "http://127.0.0.1:9"):
        if endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        worker = await start_on(URI, tmp_path, *digests, "--golden", "s3://workers/forest.golden.jsonl")
        assert isinstance(worker, RunningWorker), worker
        assert "scored 64 golden rows as expected" in (await worker.stop())[1]


@pytest.mark.parametrize(
    ("uri", "sha256", "reason"),
    [
        ("s3://workers/ghost.txt", None, "no such key: bucket workers has no object ghost.txt"),
        ("s3://ghosts/forest.txt", None, "no such bucket: ghosts does not exist"),
        (URI, "0" * 64, "its SHA-256 is "),
        ("s3://workers", None, "s3://workers is not the address of an object; write s3://BUCKET/KEY"),
    ],
)
@pytest.mark.usefixtures("in_s3")
async def test_failed_download_is_reported_in_one_line_and_exits_with_3(
    uri: str, sha256: str | None, reason: str, tmp_path: Path
) -> None:
    left = await start_on(uri, tmp_path, *(["--sha256", sha256] if sha256 else []))
    assert isinstance(left, EndedWorker)
    assert (left.code, left.stdout, left.stderr.count("\n")) == (3, "", 1)
    assert left.stderr.startswith(f"model_worker: forest: refused {uri}: {reason}")
    assert names(tmp_path) == []


async def test_worker_reports_each_retry(
    binary: TrainedForest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store(binary.path.read_bytes(), [cut(1000), refuse(503, "SlowDown")]) as served:
        s3.use(monkeypatch, served.endpoint)
        worker = await start_on(URI, tmp_path)
        assert isinstance(worker, RunningWorker), worker
        _, stderr = await worker.stop()
    assert served.range_starts == [None, 1000, 1000]
    first, second, *_ = stderr.splitlines()
    assert first.startswith(f"model_worker: {URI}: the transfer was interrupted: ")
    assert "SlowDown" in second
    assert "; received 1,000 bytes; retrying in " in second


@pytest.mark.parametrize("workers", [2, 4])
async def test_workers_that_start_together_leave_one_complete_file(workers: int, in_s3: str, tmp_path: Path) -> None:
    starts = (start_on(URI, tmp_path, "--sha256", in_s3) for _ in range(workers))
    running = await asyncio.gather(*starts)
    for worker in running:
        assert isinstance(worker, RunningWorker), worker
        await worker.stop()
    assert names(tmp_path) == [in_s3]


async def test_kill_during_a_download_leaves_only_the_part_file(
    binary: TrainedForest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = binary.path.read_bytes()
    digest = hashlib.sha256(model).hexdigest()
    async with store(model, [stall(1000)]) as served:
        s3.use(monkeypatch, served.endpoint)
        process = await run("--name", "forest", "--uri", URI, "--cache", str(tmp_path), "--sha256", digest)
        part = tmp_path / f"{digest}.part"
        await until_written(part, 1000)
        process.kill()
        assert (await ended(process)).code == -signal.SIGKILL
        assert names(tmp_path) == [part.name]
        await until_free(part)

        again = await start_on(URI, tmp_path, "--sha256", digest)
        assert isinstance(again, RunningWorker), again
        await again.stop()
    assert served.range_starts == [None, 1000]
    assert names(tmp_path) == [digest]


async def start_on(uri: str, cache: Path, *arguments: str) -> RunningWorker | EndedWorker:
    return await start(uri, "--cache", str(cache), *arguments)


async def scores_of(worker: RunningWorker, trained: TrainedForest) -> bytes:
    async with grpc.aio.insecure_channel(worker.address, options=lane_options()) as channel:
        response = await inference(channel).ModelInfer(request_for(trained, 8))
        return bytes(response.raw_output_contents[0])


async def until_written(path: Path, size_bytes: int) -> None:
    async with asyncio.timeout(FIND_S):
        while not has(path, size_bytes):  # noqa: ASYNC110 (a file has no event to wait for)
            await asyncio.sleep(0.01)


async def until_free(path: Path) -> None:
    """Waits until the child that downloads has also ended; its connection would stall for 10 s."""
    async with asyncio.timeout(5):
        while (part := try_lock(path)) is None:  # noqa: ASYNC110 (a lock has no event to wait for)
            await asyncio.sleep(0.01)
    part.close()


def has(path: Path, size_bytes: int) -> bool:
    return path.exists() and path.stat().st_size >= size_bytes


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def proc(worker: RunningWorker, name: str) -> str:
    return Path(f"/proc/{worker.process.pid}/{name}").read_text()
