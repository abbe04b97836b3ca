"""Keeps the known objects of a kind up to date by the list and watch protocol of the Kubernetes API server."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from typing import Any, Protocol

from mesh.back_off import BackOff, Uniform
from supervisor.discovery.kube_api import ApiFault, Gone, KubeApi, Stream

WATCH_S = (300.0, 600.0)  # random, so that the supervisors do not reconnect at the same moment
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0
HELD_S = 1.0
_log = logging.getLogger("supervisor.discovery")


class KnownObjects(Protocol):
    """The known objects by name. An item is any JSON value that the API server sends."""

    def replace(self, items: Sequence[Any]) -> None:
        """Replaces all objects by `items`: no event reports a deletion before a list."""
        ...

    def put(self, item: Any) -> None:
        """Adds or replaces an object."""
        ...

    def remove(self, name: str) -> None:
        """Removes an object, if it is known."""
        ...

    def ignore(self, event: Any) -> None:
        """Handles an event of an unknown type."""
        ...


class ObjectWatch:
    """Lists, opens a watch and applies its events to `known`, one step at a time; pauses after a fault.

    `kept` says in the log what holds in the meantime; `watch_s` is the range of the watch time.
    """

    def __init__(
        self,
        api: KubeApi,
        known: KnownObjects,
        kept: str,
        watch_s: tuple[float, float] = WATCH_S,
        uniform: Uniform = random.uniform,
    ) -> None:
        self._api = api
        self._known = known
        self._kept = kept
        self._watch_s = watch_s
        self._uniform = uniform
        self._version: str | None = None  # the resource version of the last event; None if a new list is needed
        self._stream: Stream | None = None
        self._opened_s = 0.0
        self._pauses = BackOff(FIRST_PAUSE_S, LONGEST_PAUSE_S, uniform)
        self._last_fault: str | None = None

    @property
    def is_current(self) -> bool:
        """Whether the objects have been listed, and no request has failed since the last one that succeeded."""
        return self._version is not None and self._last_fault is None

    async def step(self) -> None:
        """Returns after the next list, opened watch or burst of events."""
        while True:
            try:
                await self._step()
                return
            except Gone:
                _log.info("the resource version has expired; listing all objects again")
                self._version = None
            except ApiFault as fault:
                self._log_fault(fault)
            await self._pause()

    async def close(self) -> None:
        """Closes the open watch, if any."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def _step(self) -> None:
        if self._version is None:
            listing = await self._api.list()
            self._known.replace(listing.items)
            self._version = listing.version
            self._log_recovery()
        elif self._stream is None:
            self._stream = await self._api.watch(self._version, self._uniform(*self._watch_s))
            self._opened_s = time.monotonic()
            self._log_recovery()
        elif (events := await self._stream.burst()) is not None:
            for event in events:
                self._apply(event)
            self._pauses.reset()
        else:  # the watch time is over or the API server stops; the watch may have been very short
            await self._pause()

    def _apply(self, event: Any) -> None:
        """Applies an event of the watch; raises Gone or ApiFault for an ERROR event."""
        kind, item = (event.get("type"), event.get("object")) if isinstance(event, dict) else (None, event)
        if kind == "ERROR":
            self._version = None  # a watch from the same version could return the same error
            raise _error(item)
        if kind in ("ADDED", "MODIFIED"):
            self._known.put(item)
        elif kind == "DELETED":
            self._known.remove(metadata(item, "name"))
        elif kind != "BOOKMARK":
            self._known.ignore(event)
        self._version = metadata(item, "resourceVersion") or self._version

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
            _log.warning("%s; %s and retrying", fault.reason, self._kept)
        self._last_fault = fault.kind

    def _log_recovery(self) -> None:
        if self._last_fault is not None:
            _log.warning("the API server responds again")
        self._last_fault = None


def metadata(item: Any, key: str) -> str:
    """Returns a text of the metadata of an object; empty if there is none."""
    found = item.get("metadata") if isinstance(item, dict) else None
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _error(status: Any) -> Exception:
    """The error that the Status object of an ERROR event stands for."""
    code, message = (status.get("code"), status.get("message")) if isinstance(status, dict) else (None, status)
    return Gone() if code == 410 else ApiFault(str(code), f"the API server ended the watch: {message}")
