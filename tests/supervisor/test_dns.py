"""Discovery by DNS: looked up by its own timer, and what cannot be found stays as it was. The clock is virtual."""

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
from tests.supervisor.in_virtual_time import in_virtual_time
from tests.supervisor.virtual_time import run

WHALES, NEWCOMERS = ("dragonfall", "2026-10", "whales"), ("dragonfall", "2026-10", "newcomers")
WHALES_HOST = "dragonfall-2026-10-whales.games.svc"
ROUND_S = 5.0


class Resolver:
    """Answers as the test says: addresses, an error, or None for an answer that does not come."""

    def __init__(self) -> None:
        self.answers: dict[str, Sequence[str] | Exception | None] = {}
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0.01)
            answer = self.answers.get(host, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
            if answer is None:
                await asyncio.sleep(60)
                raise AssertionError("nobody waits so long")
        finally:
            self.at_once -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def services(resolver: Resolver, *models: tuple[str, str, str]) -> Any:
    return HeadlessServices(models or (WHALES,), "games", resolver, (ROUND_S, ROUND_S), lambda low, _: low).watch()


@in_virtual_time
async def test_every_models_headless_service_is_looked_up() -> None:
    resolver = Resolver()
    resolver.answers = {WHALES_HOST: ["10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.1"]}
    async with aclosing(services(resolver, WHALES, NEWCOMERS)) as watch:
        told = await anext(watch)
    assert told.of(*WHALES) == ("10.0.0.1:9000", "10.0.0.2:9000", "[fd00::1]:9000")
    assert told.of(*NEWCOMERS) == ()
    assert resolver.asked == [WHALES_HOST, "dragonfall-2026-10-newcomers.games.svc"]


def test_a_change_is_told_at_the_next_round_and_no_change_is_not() -> None:
    async def story() -> float:
        resolver = Resolver()
        resolver.answers = {WHALES_HOST: ["10.0.0.1"]}
        loop = asyncio.get_running_loop()
        async with aclosing(services(resolver)) as watch:
            await anext(watch)
            began_s = loop.time()
            loop.call_later(3 * ROUND_S, resolver.answers.update, {WHALES_HOST: ["10.0.0.2"]})
            assert (await anext(watch)).of(*WHALES) == ("10.0.0.2:9000",)
            return loop.time() - began_s

    assert 3 * ROUND_S < run(story()) <= 4 * ROUND_S


@pytest.mark.parametrize(
    "trouble",
    [socket.gaierror(socket.EAI_AGAIN, "try again"), UnicodeError("label too long"), [], None],
    ids=["fails", "no name", "no addresses", "does not answer"],
)
def test_what_cannot_be_found_stays_as_it_was(
    trouble: Sequence[str] | Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "supervisor.discovery")
    newcomers = "dragonfall-2026-10-newcomers.games.svc"

    async def story() -> None:
        resolver = Resolver()
        resolver.answers = {WHALES_HOST: ["10.0.0.1"], newcomers: ["10.0.1.1"]}
        loop = asyncio.get_running_loop()
        async with aclosing(services(resolver, WHALES, NEWCOMERS)) as watch:
            await anext(watch)
            resolver.answers = {WHALES_HOST: trouble, newcomers: ["10.0.1.1"]}
            loop.call_later(3 * ROUND_S, resolver.answers.update, {newcomers: ["10.0.1.2"]})
            told = await anext(watch)
            assert (told.of(*WHALES), told.of(*NEWCOMERS)) == (("10.0.0.1:9000",), ("10.0.1.2:9000",))
            resolver.answers[WHALES_HOST] = ["10.0.0.2"]
            assert (await anext(watch)).of(*WHALES) == ("10.0.0.2:9000",)

    run(story())
    assert [record.message.rpartition(": ")[2] for record in caplog.records] == [
        "cannot be found; what is known of it stays",
        "is found",
    ]


def test_no_more_than_a_few_names_are_looked_up_at_once() -> None:
    async def story() -> int:
        resolver = Resolver()
        models = [("g", "v", f"m{number}") for number in range(40)]
        async with aclosing(services(resolver, *models)) as watch:
            await anext(watch)
        return resolver.most_at_once

    assert run(story()) == dns.LOOK_UPS


async def test_the_systems_resolver_is_asked() -> None:
    assert "127.0.0.1" in await dns.look_up("localhost")
