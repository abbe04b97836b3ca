"""The endpoints file: changes are reported, and malformed content changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from supervisor.discovery import file
from supervisor.discovery.file import MAX_BYTES, EndpointsFile
from supervisor.discovery.port import Endpoints

WITHIN_S = 20.0
ONE = {"g": {"v": {"m": ["127.0.0.1:1"]}}}
TWO = {"g": {"v": {"m": ["127.0.0.1:1", "127.0.0.1:2"]}}}


@pytest.fixture(autouse=True)
def _check_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "POLL_S", 0.001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "endpoints.json"


def put(path: Path, content: Any) -> None:
    fresh = path.with_name("fresh")
    fresh.write_text(content if isinstance(content, str) else json.dumps(content))
    fresh.replace(path)


def remove(path: Path) -> None:
    path.unlink()


class Watch:
    def __init__(self, endpoints: AsyncIterator[Endpoints]) -> None:
        self._endpoints = endpoints

    async def next(self) -> Endpoints:
        return await asyncio.wait_for(anext(self._endpoints), WITHIN_S)


@asynccontextmanager
async def watching(path: Path) -> AsyncIterator[Watch]:
    endpoints: Any = EndpointsFile(path).watch()
    async with aclosing(endpoints):
        yield Watch(endpoints)


async def test_endpoints_equal_the_content_of_the_file(path: Path) -> None:
    put(path, TWO)
    async with watching(path) as watch:
        endpoints = await watch.next()
    assert endpoints.of("g", "v", "m") == ("127.0.0.1:1", "127.0.0.1:2")


async def test_unknown_model_has_no_replicas(path: Path) -> None:
    put(path, ONE)
    async with watching(path) as watch:
        assert (await watch.next()).of("g", "v", "other") == ()


async def test_change_is_reported(path: Path) -> None:
    put(path, ONE)
    async with watching(path) as watch:
        await watch.next()
        put(path, TWO)
        assert len((await watch.next()).of("g", "v", "m")) == 2


async def test_file_created_later_is_read(path: Path) -> None:
    async with watching(path) as watch:
        first = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        put(path, ONE)
        assert (await first).of("g", "v", "m") == ("127.0.0.1:1",)


async def test_file_removed_and_created_again_is_read(path: Path) -> None:
    put(path, ONE)
    async with watching(path) as watch:
        await watch.next()
        remove(path)
        second = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        put(path, TWO)
        assert len((await second).of("g", "v", "m")) == 2


DEEP = "[" * 100_000
WRONG = ["", '{"g": {"v": {"m": ["127.0', "[]", "7", "null", '{"g": 1}', '{"g": {"v": {"m": 5}}}', "\\u0000"]


def is_refused(path: Path, text: str) -> bool:
    put(path, text)
    return EndpointsFile(path)._read() is None


@pytest.mark.parametrize("text", WRONG)
async def test_malformed_file_changes_nothing(path: Path, text: str) -> None:
    assert is_refused(path, text)
    async with watching(path) as watch:
        first = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        put(path, ONE)
        assert (await first).of("g", "v", "m") == ("127.0.0.1:1",)


@pytest.mark.parametrize(
    "models", ['{"m": "127.0.0.1:1"}', '{"m": [5]}', '{"m": [null]}', '{"m": {"127.0.0.1:1": 1}}'], ids=str
)
def test_addresses_that_are_not_a_list_of_texts_are_refused(path: Path, models: str) -> None:
    assert is_refused(path, f'{{"g": {{"v": {models}}}}}')


def test_file_with_too_deep_nesting_is_refused(path: Path) -> None:
    assert is_refused(path, DEEP)


def test_file_that_is_not_utf8_is_refused(path: Path) -> None:
    path.write_bytes(b"\xff\xfe{}")
    assert EndpointsFile(path)._read() is None


def test_file_that_is_too_large_is_refused(path: Path) -> None:
    assert is_refused(path, f'{{"g": {{"v": {{"m": ["127.0.0.1:1"]}}}}}}{" " * MAX_BYTES}')
