"""Discovery by DNS: look-ups on a timer; failed look-ups keep the known addresses. The clock is virtual."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest

from supervisor.discovery import dns
from supervisor.discovery.dns import HeadlessServices
from tests.supervisor.virtual_time import in_virtual_time

WHALES, NEWCOMERS = ("dragonfall", "2026-10", "whales"), ("dragonfall", "2026-10", "newcomers")
WHALES_HOST = "dragonfall-2026-10-whales.games.svc"
ROUND_S = 5.0


class Resolver:
    """A resolver whose answers the test chooses: addresses, an error, or None for no answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[str] | Exception | None] = {}
        self.asked: list[str] = []
        self.concurrent = 0
        self.max_concurrent = 0

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            await asyncio.sleep(0.01)
            answer = self.answers.get(host, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
            if answer is None:
                await asyncio.sleep(60)
                raise AssertionError("the look-up has no time limit")
        finally:
            self.concurrent -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def services(resolver: Resolver, *models: tuple[str, str, str]) -> Any:
    return HeadlessServices(
        lambda: models or (WHALES,), "games", resolver, (ROUND_S, ROUND_S), lambda low, _: low
    ).watch()


@in_virtual_time
async def test_headless_service_of_every_model_is_looked_up() -> None:
    resolver = Resolver()
    resolver.answers = {WHALES_HOST: ["10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.1"]}
    async with aclosing(services(resolver, WHALES, NEWCOMERS)) as watch:
        endpoints = await anext(watch)
    assert endpoints.of(*WHALES) == ("10.0.0.1:9000", "10.0.0.2:9000", "[fd00::1]:9000")
    assert endpoints.of(*NEWCOMERS) == ()
    assert resolver.asked == [WHALES_HOST, "dragonfall-2026-10-newcomers.games.svc"]


@in_virtual_time
async def test_change_is_reported_in_the_next_round_and_a_round_without_change_is_not() -> None:
    resolver = Resolver()
    resolver.answers = {WHALES_HOST: ["10.0.0.1"]}
    loop = asyncio.get_running_loop()
    async with aclosing(services(resolver)) as watch:
        await anext(watch)
        began_s = loop.time()
        loop.call_later(3 * ROUND_S, resolver.answers.update, {WHALES_HOST: ["10.0.0.2"]})
        assert (await anext(watch)).of(*WHALES) == ("10.0.0.2:9000",)
        assert 3 * ROUND_S < loop.time() - began_s <= 4 * ROUND_S


@pytest.mark.parametrize(
    "failure",
    [socket.gaierror(socket.EAI_AGAIN, "try again"), UnicodeError("label too long"), [], None],
    ids=["fails", "no name", "no addresses", "does not answer"],
)
@in_virtual_time
async def test_failed_look_up_keeps_the_known_addresses(
    failure: Sequence[str] | Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "supervisor.discovery")
    newcomers = "dragonfall-2026-10-newcomers.games.svc"
    resolver = Resolver()
    resolver.answers = {WHALES_HOST: ["10.0.0.1"], newcomers: ["10.0.1.1"]}
    loop = asyncio.get_running_loop()
    async with aclosing(services(resolver, WHALES, NEWCOMERS)) as watch:
        await anext(watch)
        resolver.answers = {WHALES_HOST: failure, newcomers: ["10.0.1.1"]}
        loop.call_later(3 * ROUND_S, resolver.answers.update, {newcomers: ["10.0.1.2"]})
        endpoints = await anext(watch)
        assert (endpoints.of(*WHALES), endpoints.of(*NEWCOMERS)) == (("10.0.0.1:9000",), ("10.0.1.2:9000",))
        resolver.answers[WHALES_HOST] = ["10.0.0.2"]
        assert (await anext(watch)).of(*WHALES) == ("10.0.0.2:9000",)
    assert [record.message.rpartition(": ")[2] for record in caplog.records] == [
        "not found; keeping its known addresses",
        "found",
    ]


@in_virtual_time
async def test_concurrent_look_ups_are_limited() -> None:
    resolver = Resolver()
    models = [("g", "v", f"m{number}") for number in range(40)]
    async with aclosing(services(resolver, *models)) as watch:
        await anext(watch)
    assert resolver.max_concurrent == dns.LOOK_UPS


async def test_look_up_asks_the_system_resolver() -> None:
    assert "127.0.0.1" in await dns.look_up("localhost")
