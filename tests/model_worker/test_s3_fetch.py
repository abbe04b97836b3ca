"""A download from S3 is complete, even after failures, or it fails without a file."""

from __future__ import annotations

import asyncio
import hashlib
import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.model_file import BadModel
from mesh.s3 import client as s3_client
from model_worker.s3.fetch import fetch
from model_worker.s3.fetch_request import FetchRequest
from model_worker.s3.part import try_lock
from tests.emulators import s3
from tests.model_worker.faulty_store import (
    Response,
    Store,
    cut,
    drip,
    refuse,
    stall,
    store,
    whole,
    whole_without_ranges,
)

pytestmark = pytest.mark.whole_machine  # real time limits

MODEL = random.Random(5).randbytes(300_000)
SHA256 = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture(autouse=True)
def short_stall_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "STALL_S", 0.3)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def request(cache: Path, sha256: str | None = SHA256, budget_s: float = 20.0, limit_bytes: int = 2**20) -> FetchRequest:
    return FetchRequest("s3://models/v1/whales.txt", sha256, str(cache), budget_s, limit_bytes)


async def fetch_from(served: Store, requested: FetchRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    s3.use(monkeypatch, served.endpoint)
    return await fetch(requested)


def leave(cache: Path, name: str, data: bytes) -> None:
    cache.mkdir()
    (cache / name).write_bytes(data)


def size_bytes(cache: Path) -> int:
    return sum(len(data) for data in files(cache).values()) if cache.exists() else 0


def files(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.iterdir()}


@pytest.mark.parametrize(
    ("script", "range_starts"),
    [
        ([], [None]),
        ([cut(100_000)], [None, 100_000]),
        ([cut(100_000), cut(0), cut(50_000)], [None, 100_000, 100_000, 150_000]),
        ([stall(100_000)], [None, 100_000]),
        ([stall(0)], [None, None]),
        ([refuse(503, "SlowDown"), refuse(500, "InternalError")], [None] * 3),
        ([cut(100_000), whole_without_ranges], [None, 100_000]),
        ([cut(100_000), refuse(416, "InvalidRange")], [None, 100_000, None]),
    ],
    ids=["whole", "cut", "cut repeatedly", "stall", "stall immediately", "5xx", "no ranges", "bad range"],
)
async def test_interrupted_transfer_continues_from_its_position(
    script: list[Response], range_starts: list[int | None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store(MODEL, script) as served:
        path = await fetch_from(served, request(cache), monkeypatch)

    assert path == cache / SHA256
    assert files(cache) == {SHA256: MODEL}
    assert served.range_starts == range_starts


async def test_model_is_received_byte_by_byte(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = MODEL[:3_000]
    async with store(body, [drip]) as served:
        path = await fetch_from(served, request(cache, None), monkeypatch)
    assert path.read_bytes() == body


async def test_object_that_is_replaced_meanwhile_is_fetched_from_its_start(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = MODEL[::-1]

    async def cut_and_replace(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
        await cut(100_000)(store, start, writer)
        store.body = other

    async with store(MODEL, [cut_and_replace]) as served:
        path = await fetch_from(served, request(cache, None), monkeypatch)

    assert path.read_bytes() == other
    assert served.range_starts == [None, 100_000, None]


async def test_download_continues_the_file_of_a_killed_worker(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(cache, f"{SHA256}.part", MODEL[:200_000])
    async with store(MODEL) as served:
        await fetch_from(served, request(cache), monkeypatch)
    assert (served.range_starts, files(cache)) == ([200_000], {SHA256: MODEL})


@pytest.mark.parametrize("left", [b"x" * 200_000, b"x" * 300_000, b"x" * 400_000])
async def test_part_file_with_other_content_is_discarded(
    left: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(cache, f"{SHA256}.part", left)
    refusals = [refuse(416, "InvalidRange")] if len(left) >= len(MODEL) else []
    async with store(MODEL, refusals) as served:
        await fetch_from(served, request(cache), monkeypatch)
    assert (served.range_starts, files(cache)) == ([len(left), None], {SHA256: MODEL})


async def test_damaged_file_in_the_cache_is_fetched_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(cache, SHA256, MODEL[:-1])
    async with store(MODEL) as served:
        await fetch_from(served, request(cache), monkeypatch)
    assert files(cache) == {SHA256: MODEL}


async def test_object_with_a_wrong_digest_is_refused_and_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL[:-1]) as served:
        with pytest.raises(BadModel, match=f"its SHA-256 is .*, not {SHA256}: the object is damaged or wrong"):
            await fetch_from(served, request(cache), monkeypatch)
    assert files(cache) == {}


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (refuse(403, "AccessDenied"), "access denied: these credentials need s3:GetObject on arn:aws:s3:::models/v1/"),
        (refuse(404, "NoSuchKey"), "no such key: bucket models has no object v1/whales.txt"),
        (refuse(404, "NoSuchBucket"), "no such bucket: models does not exist; check its name and AWS_ENDPOINT_URL_S3"),
        (refuse(403, "InvalidAccessKeyId"), "S3 does not accept these credentials"),
        (refuse(400, "ExpiredToken"), "S3 does not accept these credentials"),
    ],
)  # fmt: skip
async def test_permanent_failure_is_reported_immediately(
    response: Response, sentence: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store(MODEL, [response]) as served:
        with pytest.raises(BadModel) as refused:
            await fetch_from(served, request(cache), monkeypatch)
    assert refused.value.reason.startswith(sentence)
    assert "\n" not in refused.value.reason
    assert served.range_starts == [None]


async def test_repeated_failure_is_reported_at_the_time_limit(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL, [refuse(503, "SlowDown")] * 100) as served:
        with pytest.raises(BadModel, match=r"not fetched within 1 s \(--fetch-s\): S3 answered .*SlowDown"):
            await fetch_from(served, request(cache, budget_s=1), monkeypatch)
    assert 2 <= len(served.range_starts) <= 6


async def test_slow_transfer_is_reported_at_the_time_limit(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "STALL_S", 60.0)
    async with store(MODEL, [stall(100_000)]) as served:
        with pytest.raises(BadModel, match=r"not fetched within 0.5 s \(--fetch-s\): the transfer is too slow"):
            await fetch_from(served, request(cache, budget_s=0.5), monkeypatch)


async def test_unreachable_store_is_reported_with_its_address(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as gone:
        pass
    with pytest.raises(BadModel, match=f"cannot connect to {gone.endpoint}/models.*: check the network and AWS_ENDPO"):
        await fetch_from(gone, request(cache, budget_s=3), monkeypatch)


async def test_missing_credentials_are_reported_in_one_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        s3.use(monkeypatch, served.endpoint)
        s3.without_credentials(monkeypatch)
        with pytest.raises(BadModel, match="there are no credentials for S3: set AWS_PROFILE"):
            await fetch(request(cache))


@pytest.mark.parametrize("setting", [("AWS_ENDPOINT_URL_S3", "nowhere"), ("AWS_PROFILE", "nobody")])
async def test_wrong_settings_are_reported_in_one_sentence(
    setting: tuple[str, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.use(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setenv(*setting)
    with pytest.raises(BadModel, match=f"the AWS settings for S3 are invalid: .*{setting[1]}"):
        await fetch(request(cache))


async def test_model_above_the_size_limit_is_not_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        with pytest.raises(BadModel, match=r"it has at least 300,000 bytes, and the limit is 0 MiB \(--max-model-mb\)"):
            await fetch_from(served, request(cache, limit_bytes=100_000), monkeypatch)
    assert files(cache) == {}


@pytest.fixture(params=[100_000, 299_999])
def small_disk(request: pytest.FixtureRequest) -> Iterator[None]:
    """Limits the size of a file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (request.param, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
async def test_full_disk_is_reported_and_the_part_file_removed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        with pytest.raises(BadModel, match=f"{cache}: File too large; fix it, or use another folder \\(--cache\\)"):
            await fetch_from(served, request(cache), monkeypatch)
    assert files(cache) == {}


async def test_impossible_cache_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadModel, match=r"file.*: (Not a directory|File exists); .*--cache"):
        await fetch(request(tmp_path / "file"))


async def test_download_without_a_digest_starts_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requested = request(cache, None)
    leave(cache, f"{hashlib.sha256(requested.uri.encode()).hexdigest()}.part", MODEL[:200_000])
    async with store(MODEL) as served:
        await fetch_from(served, requested, monkeypatch)
    assert (served.range_starts, files(cache)) == ([None], {SHA256: MODEL})


async def test_two_requests_for_a_model_fetch_it_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        paths = await asyncio.gather(*(fetch_from(served, request(cache), monkeypatch) for _ in range(2)))
    assert paths == [cache / SHA256] * 2
    assert (served.range_starts, files(cache)) == ([None], {SHA256: MODEL})


async def test_wait_for_another_worker_is_reported_at_the_time_limit(cache: Path) -> None:
    part = try_lock(cache / f"{SHA256}.part")
    assert part is not None
    with pytest.raises(BadModel, match=r"not fetched within 0.2 s .*: another worker was still fetching it"):
        await fetch(request(cache, budget_s=0.2))
    part.close()


async def test_fetch_continues_after_a_cancelled_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "STALL_S", 60.0)
    async with store(MODEL, [stall(100_000), whole]) as served:
        first = asyncio.ensure_future(fetch_from(served, request(cache), monkeypatch))
        while size_bytes(cache) < 100_000:  # noqa: ASYNC110 (a file has no event to wait for)
            await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait([first])
        assert await fetch_from(served, request(cache), monkeypatch) == cache / SHA256
    assert served.range_starts == [None, 100_000]
