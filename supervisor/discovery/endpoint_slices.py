"""Discovery in a cluster: one list and watch of the EndpointSlices of all models of all games."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable

from mesh.back_off import BackOff, Uniform
from supervisor.discovery.known_slices import KnownSlices
from supervisor.discovery.kube_api import ApiFault, Gone, KubeApi, Stream
from supervisor.discovery.model_slice import selector
from supervisor.discovery.port import Endpoints
from supervisor.discovery.service_account import ServiceAccount

WATCH_S = (300.0, 600.0)  # each watch ends at another time, so that not all supervisors ask at once
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0
HELD_S = 1.0
_log = logging.getLogger("supervisor.discovery")


class EndpointSlices:
    """Watches the slices of the models of `games` in the pod's namespace; each watch lasts from .. to `watch_s`."""

    def __init__(
        self,
        account: ServiceAccount,
        games: Iterable[str],
        watch_s: tuple[float, float] = WATCH_S,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._account = account
        self._selector = selector(games)
        self._watch_s = watch_s
        self._uniform = uniform

    async def watch(self) -> AsyncIterator[Endpoints]:
        """What is known after each change; while the API server is away, that is what was known last.

        Nothing comes before the first list. Cancelling it closes its connection.
        """
        api = KubeApi(self._account, self._selector)
        following = _Following(api, self._watch_s, self._uniform)
        told: Endpoints | None = None
        try:
            while True:
                endpoints = await following.next()
                if endpoints != told:
                    told = endpoints
                    yield endpoints
        finally:
            await following.close()


class _Following:
    """One step after the other: list, open the watch, take a burst of events; after a fault, a pause."""

    def __init__(self, api: KubeApi, watch_s: tuple[float, float], uniform: Uniform) -> None:
        self._api = api
        self._watch_s = watch_s
        self._uniform = uniform
        self._known = KnownSlices()
        self._stream: Stream | None = None
        self._opened_s = 0.0
        self._pauses = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, uniform)
        self._trouble: str | None = None

    async def next(self) -> Endpoints:
        """What is known after the next step that went well."""
        while True:
            try:
                await self._step()
                return self._known.endpoints()
            except Gone:
                _log.info("the API server has forgotten where we were; everything is listed anew")
                self._known.version = None
            except ApiFault as fault:
                self._tell_lost(fault)
            await self._pause()

    async def close(self) -> None:
        """Closes the watch that is open."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _step(self) -> None:
        if self._known.version is None:
            self._known.replace(await self._api.list())
            self._tell_back()
        elif self._stream is None:
            self._stream = await self._api.watch(self._known.version, self._uniform(*self._watch_s))
            self._opened_s = time.monotonic()
            self._tell_back()
        elif (events := await self._stream.burst()) is not None:
            self._known.apply(events)
            self._pauses.reset()
        else:  # the time that was asked for is over, or the API server goes; it may not have lasted at all
            await self._pause()

    async def _pause(self) -> None:
        """None after a watch that held for a while: what is to come may be waiting already."""
        held = self._stream is not None and time.monotonic() - self._opened_s > HELD_S
        await self.close()
        if held:
            self._pauses.reset()
        else:
            await asyncio.sleep(self._pauses.next_s())

    def _tell_lost(self, fault: ApiFault) -> None:
        if fault.kind != self._trouble:
            _log.warning("%s; the replicas stay as they are known, and it is tried again", fault.reason)
        self._trouble = fault.kind

    def _tell_back(self) -> None:
        if self._trouble is not None:
            _log.warning("the API server answers again")
        self._trouble = None
