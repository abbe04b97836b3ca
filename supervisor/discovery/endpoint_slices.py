"""Kubernetes EndpointSlice watcher: one list and watch for all models of all games."""

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

WATCH_S = (300.0, 600.0)  # random, so that the supervisors do not reconnect at the same moment
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0
HELD_S = 1.0
_log = logging.getLogger("supervisor.discovery")


class EndpointSlices:
    """Watches the slices of the models of `games` in the pod's namespace; `watch_s` is the range of the watch time."""

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
        """Yields the known endpoints after each change; the first ones after the first list.

        Yields nothing while the API server is unreachable. Cancelling it closes its connection.
        """
        api = KubeApi(self._account, self._selector)
        watcher = _Watcher(api, self._watch_s, self._uniform)
        last: Endpoints | None = None
        try:
            while True:
                endpoints = await watcher.next()
                if endpoints != last:
                    last = endpoints
                    yield endpoints
        finally:
            await watcher.close()


class _Watcher:
    """Lists, opens a watch and applies its events, one step at a time; pauses after a fault."""

    def __init__(self, api: KubeApi, watch_s: tuple[float, float], uniform: Uniform) -> None:
        self._api = api
        self._watch_s = watch_s
        self._uniform = uniform
        self._known = KnownSlices()
        self._stream: Stream | None = None
        self._opened_s = 0.0
        self._pauses = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, uniform)
        self._last_fault: str | None = None

    async def next(self) -> Endpoints:
        """The known endpoints after the next successful step."""
        while True:
            try:
                await self._step()
                return self._known.endpoints()
            except Gone:
                _log.info("the resource version has expired; listing all slices again")
                self._known.version = None
            except ApiFault as fault:
                self._log_fault(fault)
            await self._pause()

    async def close(self) -> None:
        """Closes the open watch, if any."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _step(self) -> None:
        if self._known.version is None:
            self._known.replace(await self._api.list())
            self._log_recovery()
        elif self._stream is None:
            self._stream = await self._api.watch(self._known.version, self._uniform(*self._watch_s))
            self._opened_s = time.monotonic()
            self._log_recovery()
        elif (events := await self._stream.burst()) is not None:
            self._known.apply(events)
            self._pauses.reset()
        else:  # the watch time is over or the API server stops; the watch may have been very short
            await self._pause()

    async def _pause(self) -> None:
        """Pauses, but not after a watch that held for a while: its next events may be available already."""
        held = self._stream is not None and time.monotonic() - self._opened_s > HELD_S
        await self.close()
        if held:
            self._pauses.reset()
        else:
            await asyncio.sleep(self._pauses.next_s())

    def _log_fault(self, fault: ApiFault) -> None:
        if fault.kind != self._last_fault:
            _log.warning("%s; keeping the known replicas and retrying", fault.reason)
        self._last_fault = fault.kind

    def _log_recovery(self) -> None:
        if self._last_fault is not None:
            _log.warning("the API server responds again")
        self._last_fault = None
