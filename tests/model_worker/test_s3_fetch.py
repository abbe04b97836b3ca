"""A model comes from S3 whole, whatever breaks on the way, or not at all."""

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
from model_worker.s3.order import Order
from model_worker.s3.part import try_take
from tests.emulators import s3
from tests.model_worker.faulty_store import (
    Answer,
    Store,
    cut,
    drip,
    refuse,
    stall,
    store,
    whole,
    whole_without_ranges,
)

MODEL = random.Random(5).randbytes(300_000)
SHA256 = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "STALL_S", 0.3)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def order(cache: Path, sha256: str | None = SHA256, budget_s: float = 20.0, limit_bytes: int = 2**20) -> Order:
    return Order("s3://models/v1/whales.txt", sha256, str(cache), budget_s, limit_bytes)


async def fetch_from(served: Store, wanted: Order, monkeypatch: pytest.MonkeyPatch) -> Path:
    s3.use(monkeypatch, served.endpoint)
    return await fetch(wanted)


def leave(cache: Path, name: str, data: bytes) -> None:
    cache.mkdir()
    (cache / name).write_bytes(data)


def size_bytes(cache: Path) -> int:
    return sum(len(data) for data in held(cache).values()) if cache.exists() else 0


def held(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.iterdir()}


@pytest.mark.parametrize(
    ("script", "asked"),
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
    ids=["whole", "cut", "cut again and again", "stall", "stall at once", "5xx", "no ranges", "bad range"],
)
async def test_a_transfer_that_breaks_goes_on_where_it_was(
    script: list[Answer], asked: list[int | None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store(MODEL, script) as served:
        path = await fetch_from(served, order(cache), monkeypatch)

    assert path == cache / SHA256
    assert held(cache) == {SHA256: MODEL}
    assert served.asked == asked


async def test_a_model_that_comes_byte_by_byte_comes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = MODEL[:3_000]
    async with store(body, [drip]) as served:
        path = await fetch_from(served, order(cache, None), monkeypatch)
    assert path.read_bytes() == body


async def test_an_object_that_is_replaced_meanwhile_is_fetched_from_its_start(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = MODEL[::-1]

    async def cut_and_replace(store: Store, start: int | None, writer: asyncio.StreamWriter) -> None:
        await cut(100_000)(store, start, writer)
        store.body = other

    async with store(MODEL, [cut_and_replace]) as served:
        path = await fetch_from(served, order(cache, None), monkeypatch)

    assert path.read_bytes() == other
    assert served.asked == [None, 100_000, None]


async def test_what_a_killed_worker_left_is_gone_on_with(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(cache, f"{SHA256}.part", MODEL[:200_000])
    async with store(MODEL) as served:
        await fetch_from(served, order(cache), monkeypatch)
    assert (served.asked, held(cache)) == ([200_000], {SHA256: MODEL})


@pytest.mark.parametrize("left", [b"x" * 200_000, b"x" * 300_000, b"x" * 400_000])
async def test_what_is_no_beginning_of_the_model_is_not_gone_on_with(
    left: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(cache, f"{SHA256}.part", left)
    refusals = [refuse(416, "InvalidRange")] if len(left) >= len(MODEL) else []
    async with store(MODEL, refusals) as served:
        await fetch_from(served, order(cache), monkeypatch)
    assert (served.asked, held(cache)) == ([len(left), None], {SHA256: MODEL})


async def test_a_damaged_file_of_the_cache_is_fetched_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(cache, SHA256, MODEL[:-1])
    async with store(MODEL) as served:
        await fetch_from(served, order(cache), monkeypatch)
    assert held(cache) == {SHA256: MODEL}


async def test_an_object_of_another_digest_is_refused_and_not_kept(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store(MODEL[:-1]) as served:
        with pytest.raises(BadModel, match=f"its SHA-256 is .*, not {SHA256}: the object is damaged, or another one"):
            await fetch_from(served, order(cache), monkeypatch)
    assert held(cache) == {}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (refuse(403, "AccessDenied"), "access denied: these credentials need s3:GetObject on arn:aws:s3:::models/v1/"),
        (refuse(404, "NoSuchKey"), "no such key: bucket models has no object v1/whales.txt"),
        (refuse(404, "NoSuchBucket"), "no such bucket: models does not exist; check its name and AWS_ENDPOINT_URL_S3"),
        (refuse(403, "InvalidAccessKeyId"), "S3 does not accept these credentials"),
        (refuse(400, "ExpiredToken"), "S3 does not accept these credentials"),
    ],
)  # fmt: skip
async def test_what_cannot_get_better_is_told_at_once(
    answer: Answer, sentence: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store(MODEL, [answer]) as served:
        with pytest.raises(BadModel) as refused:
            await fetch_from(served, order(cache), monkeypatch)
    assert refused.value.reason.startswith(sentence)
    assert "\n" not in refused.value.reason
    assert served.asked == [None]


async def test_a_store_that_does_not_get_better_is_told_when_the_time_is_up(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store(MODEL, [refuse(503, "SlowDown")] * 100) as served:
        with pytest.raises(BadModel, match=r"not fetched within 1 s \(--fetch-s\): S3 answered .*SlowDown"):
            await fetch_from(served, order(cache, budget_s=1), monkeypatch)
    assert 2 <= len(served.asked) <= 6


async def test_a_transfer_that_takes_too_long_is_told_when_the_time_is_up(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "STALL_S", 60.0)
    async with store(MODEL, [stall(100_000)]) as served:
        with pytest.raises(BadModel, match=r"not fetched within 0.5 s \(--fetch-s\): the transfer is too slow"):
            await fetch_from(served, order(cache, budget_s=0.5), monkeypatch)


async def test_a_store_that_is_not_there_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as gone:
        pass
    with pytest.raises(BadModel, match=f"cannot connect to {gone.endpoint}/models.*: check the network and AWS_ENDPO"):
        await fetch_from(gone, order(cache, budget_s=3), monkeypatch)


async def test_no_credentials_are_one_sentence(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        s3.use(monkeypatch, served.endpoint)
        s3.without_credentials(monkeypatch)
        with pytest.raises(BadModel, match="there are no credentials for S3: set AWS_PROFILE"):
            await fetch(order(cache))


@pytest.mark.parametrize("setting", [("AWS_ENDPOINT_URL_S3", "nowhere"), ("AWS_PROFILE", "nobody")])
async def test_settings_that_make_no_sense_are_one_sentence(
    setting: tuple[str, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.use(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setenv(*setting)
    with pytest.raises(BadModel, match=f"the AWS settings for S3 are invalid: .*{setting[1]}"):
        await fetch(order(cache))


async def test_a_model_above_the_limit_is_not_fetched(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        with pytest.raises(BadModel, match=r"it has 300,000 bytes or more, and the limit is 0 MiB \(--max-model-mb\)"):
            await fetch_from(served, order(cache, limit_bytes=100_000), monkeypatch)
    assert held(cache) == {}


@pytest.fixture(params=[100_000, 299_999])
def small_disk(request: pytest.FixtureRequest) -> Iterator[None]:
    """A disk that takes no more than so many bytes a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (request.param, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
async def test_a_full_disk_is_told_and_not_left_full(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        with pytest.raises(BadModel, match=f"{cache}: File too large; .* name another folder \\(--cache\\)"):
            await fetch_from(served, order(cache), monkeypatch)
    assert held(cache) == {}


async def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadModel, match=r"file.*: (Not a directory|File exists); .*--cache"):
        await fetch(order(tmp_path / "file"))


async def test_without_a_digest_nothing_is_gone_on_with(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = order(cache, None)
    leave(cache, f"{hashlib.sha256(wanted.uri.encode()).hexdigest()}.part", MODEL[:200_000])
    async with store(MODEL) as served:
        await fetch_from(served, wanted, monkeypatch)
    assert (served.asked, held(cache)) == ([None], {SHA256: MODEL})


async def test_two_who_want_the_same_model_fetch_it_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with store(MODEL) as served:
        paths = await asyncio.gather(*(fetch_from(served, order(cache), monkeypatch) for _ in range(2)))
    assert paths == [cache / SHA256] * 2
    assert (served.asked, held(cache)) == ([None], {SHA256: MODEL})


async def test_one_whose_time_is_up_while_another_fetches_says_so(cache: Path) -> None:
    part = try_take(cache / f"{SHA256}.part")
    assert part is not None
    with pytest.raises(BadModel, match=r"not fetched within 0.2 s .*: another worker was still fetching it"):
        await fetch(order(cache, budget_s=0.2))
    part.close()


async def test_a_fetch_that_is_cancelled_lets_the_next_one_go_on(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "STALL_S", 60.0)
    async with store(MODEL, [stall(100_000), whole]) as served:
        first = asyncio.ensure_future(fetch_from(served, order(cache), monkeypatch))
        while size_bytes(cache) < 100_000:  # noqa: ASYNC110 (a file has no event to wait for)
            await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait([first])
        assert await fetch_from(served, order(cache), monkeypatch) == cache / SHA256
    assert served.asked == [None, 100_000]
