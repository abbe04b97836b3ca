"""The sink in S3: against moto, and against a store that fails as a script says."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from supervisor.decisions.writer.s3 import S3Sink
from supervisor.decisions.writer.sink import SinkFailed
from tests.emulators.s3 import S3, use, without_credentials
from tests.supervisor.decisions.writer import faulty_puts
from tests.supervisor.decisions.writer.faulty_puts import Fault

PATH = "decisions/game=arena/a.parquet"
CONTENT = bytes(range(256)) * 4096


@contextlib.asynccontextmanager
async def a_sink(root: str, attempt_s: float = 30.0) -> AsyncIterator[S3Sink]:
    sink = S3Sink(root, attempt_s)
    try:
        yield sink
    finally:
        await sink.close()


async def test_file_is_an_object_below_the_prefix(s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, s3_store.endpoint)
    s3_store.make_bucket("decision-log")
    async with a_sink("s3://decision-log/some/prefix/") as sink:
        await sink.put(PATH, CONTENT)
    assert s3_store.get("decision-log", f"some/prefix/{PATH}") == CONTENT


async def test_side_file_that_exists_is_kept(s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, s3_store.endpoint)
    s3_store.make_bucket("side-files")
    async with a_sink("s3://side-files") as sink:
        await sink.put("ensembles/a.json", b"first", only_new=True)
        await sink.put("ensembles/a.json", b"second", only_new=True)
    assert s3_store.get("side-files", "ensembles/a.json") == b"first"


async def test_missing_bucket_is_named_and_used_when_it_exists(s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, s3_store.endpoint)
    async with a_sink("s3://made-later") as sink:
        with pytest.raises(SinkFailed, match="no such bucket: made-later does not exist"):
            await sink.put(PATH, CONTENT)
        s3_store.make_bucket("made-later")
        await sink.put(PATH, CONTENT)
    assert s3_store.get("made-later", PATH) == CONTENT


async def test_missing_credentials_are_named_and_used_when_they_exist(
    s3_store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, s3_store.endpoint)
    s3_store.make_bucket("no-credentials")
    with monkeypatch.context() as context:
        without_credentials(context)
        async with a_sink("s3://no-credentials") as sink:
            with pytest.raises(SinkFailed, match="there are no credentials for S3"):
                await sink.put(PATH, CONTENT)
            use(monkeypatch, s3_store.endpoint)
            await sink.put(PATH, CONTENT)
    assert s3_store.get("no-credentials", PATH) == CONTENT


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faulty_puts.refuse(500, "InternalError"), "S3 answered .*InternalError"),
        (faulty_puts.refuse(503, "SlowDown"), "S3 answered .*SlowDown"),
        (
            faulty_puts.refuse(403, "AccessDenied"),
            r"access denied: these credentials need s3:PutObject on arn:aws:s3:::b",
        ),
        (faulty_puts.refuse(400, "ExpiredToken"), r"does not accept these credentials \(ExpiredToken\): renew them"),
        (faulty_puts.reset, "interrupted|connect"),
        (faulty_puts.stall, "take longer than 0.5 s; check the network"),
        (faulty_puts.read_slowly, "take longer than 0.5 s; check the network"),
    ],
    ids=["500", "503", "403", "expired", "reset", "stall", "slow"],
)
async def test_failed_upload_leaves_no_object_and_a_later_one_succeeds(
    monkeypatch: pytest.MonkeyPatch, fault: Fault, reason: str
) -> None:
    is_slow = fault in (faulty_puts.stall, faulty_puts.read_slowly)
    async with faulty_puts.store(fault, *[fault] * (fault is faulty_puts.reset)) as store:  # aiohttp repeats a PUT once
        use(monkeypatch, store.endpoint)
        async with a_sink("s3://b", attempt_s=0.5 if is_slow else 30.0) as sink:
            with pytest.raises(SinkFailed, match=reason):
                await sink.put(PATH, CONTENT)
        assert store.objects == {}
        store.script.clear()
        async with a_sink("s3://b") as sink:
            await sink.put(PATH, CONTENT)
        assert store.objects == {f"/b/{PATH}": CONTENT}


async def test_store_without_conditional_writes_gets_side_files(monkeypatch: pytest.MonkeyPatch) -> None:
    async with faulty_puts.store(faulty_puts.refuse(501, "NotImplemented")) as store:
        use(monkeypatch, store.endpoint)
        async with a_sink("s3://b") as sink:
            await sink.put("ensembles/a.json", b"{}", only_new=True)
        assert store.objects == {"/b/ensembles/a.json": b"{}"}


async def test_unreachable_store_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with faulty_puts.store() as store:
        use(monkeypatch, store.endpoint)
    async with a_sink("s3://b") as sink:
        with pytest.raises(SinkFailed, match=f"cannot connect to {store.endpoint}"):
            await sink.put(PATH, CONTENT)
