"""The endpoints file: changes are seen, and what makes no sense changes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from supervisor.discovery import file
from supervisor.discovery.file import EndpointsFile
from supervisor.discovery.port import Endpoints

WITHIN_S = 20.0
ONE = {"g": {"v": {"m": ["127.0.0.1:1"]}}}
TWO = {"g": {"v": {"m": ["127.0.0.1:1", "127.0.0.1:2"]}}}


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_the_endpoints_are_told_as_they_are(path: Path) -> None:
    put(path, TWO)
    async with watching(path) as watch:
        endpoints = await watch.next()
    assert endpoints.of("g", "v", "m") == ("127.0.0.1:1", "127.0.0.1:2")


async def test_a_model_of_which_nothing_is_known_has_no_replica(path: Path) -> None:
    put(path, ONE)
    async with watching(path) as watch:
        assert (await watch.next()).of("g", "v", "other") == ()


async def test_a_change_is_seen(path: Path) -> None:
    put(path, ONE)
    async with watching(path) as watch:
        await watch.next()
        put(path, TWO)
        assert len((await watch.next()).of("g", "v", "m")) == 2


async def test_a_file_that_comes_late_is_seen(path: Path) -> None:
    async with watching(path) as watch:
        first = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        put(path, ONE)
        assert (await first).of("g", "v", "m") == ("127.0.0.1:1",)


async def test_a_file_that_goes_and_comes_back_changes_what_it_says(path: Path) -> None:
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
async def test_garbage_changes_nothing(path: Path, text: str) -> None:
    assert is_refused(path, text)
    async with watching(path) as watch:
        first = asyncio.create_task(watch.next())
        await asyncio.sleep(0)
        put(path, ONE)
        assert (await first).of("g", "v", "m") == ("127.0.0.1:1",)


@pytest.mark.parametrize(
    "models", ['{"m": "127.0.0.1:1"}', '{"m": [5]}', '{"m": [null]}', '{"m": {"127.0.0.1:1": 1}}'], ids=str
)
def test_addresses_that_are_no_list_of_texts_change_nothing(path: Path, models: str) -> None:
    assert is_refused(path, f'{{"g": {{"v": {models}}}}}')


def test_a_file_that_is_nested_too_deep_changes_nothing(path: Path) -> None:
    assert is_refused(path, DEEP)


def test_bytes_that_are_no_text_change_nothing(path: Path) -> None:
    path.write_bytes(b"\xff\xfe{}")
    assert EndpointsFile(path)._read() is None
