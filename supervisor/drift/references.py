"""Loads the references of the games in force, and again when their files change."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mesh.bounded_file import read_bytes
from mesh.catalog.catalog_file import FileIdentity, identity_of
from mesh.drift.reference import MAX_BYTES, BadReference, Reference, decode
from mesh.errors import Misconfigured, Unavailable
from mesh.s3 import address as s3_address
from supervisor.drift.tap import DriftTap, drift_taps
from supervisor.game import Game

POLL_S = 2.0
RETRY_S = 30.0  # of an object in S3
FETCH_S = 20.0
_ATTEMPTS = 3
_log = logging.getLogger("supervisor.drift")


class References:
    """Gives each tap of `games` its reference. A wrong reference is logged, and stops no answers.

    A tap whose reference becomes unreadable keeps the one before. `clock` is monotonic, in seconds.
    """

    def __init__(self, games: Mapping[str, Game], clock: Callable[[], float] = time.monotonic) -> None:
        self._games = games
        self._clock = clock
        self._files: dict[DriftTap, FileIdentity | None] = {}
        self._tried_s: dict[DriftTap, float] = {}
        self._reported: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            await self.load_all()
            await asyncio.sleep(POLL_S)

    async def load_all(self) -> None:
        """Loads the references that are new, or whose files have changed."""
        taps = {(game, name): tap for game in self._games for name, tap in drift_taps(self._games[game]).items()}
        for known in (self._files, self._tried_s):
            for gone in known.keys() - set(taps.values()):
                del known[gone]
        for key, tap in taps.items():
            try:
                await (self._fetch(tap) if tap.uri.startswith(s3_address.SCHEME) else self._read(tap))
            except (BadReference, Misconfigured, Unavailable, OSError) as error:
                self._report(key, tap, error)
            except Exception as error:  # this runs beside the answers, which a bug here must not end
                _log.debug("%s: %s: cannot load the reference", *key, exc_info=error)
                self._report(key, tap, error)
            else:
                if tap.monitor is not None:
                    self._reported.pop(key, None)

    async def _read(self, tap: DriftTap) -> None:
        path = Path(tap.uri)
        identity = await asyncio.to_thread(identity_of, path)
        if tap.monitor is not None and tap not in self._files:
            self._files[tap] = identity  # it continues the counts of the catalog before
        if identity is not None and tap in self._files and self._files[tap] == identity:
            return
        self._files[tap] = identity
        _use(tap, await asyncio.to_thread(lambda: decode(read_bytes(path, MAX_BYTES, is_named_by_file=True))))

    async def _fetch(self, tap: DriftTap) -> None:
        """Downloads a reference from S3 once: like a model, an object with the same name does not change."""
        now_s = self._clock()
        if tap.monitor is not None or now_s < self._tried_s.get(tap, -RETRY_S) + RETRY_S:
            return
        self._tried_s[tap] = now_s
        # Here, because only this function imports aiobotocore.
        from mesh.s3.client import BadSettings, connect
        from mesh.s3.content import content_of

        try:
            async with asyncio.timeout(FETCH_S), connect(_ATTEMPTS) as client:
                data = await content_of(client, tap.uri, MAX_BYTES)
        except BadSettings as error:
            raise Misconfigured([str(error)]) from error
        except TimeoutError:
            raise Unavailable(f"not downloaded within {FETCH_S:g} s; check the network") from None
        _use(tap, await asyncio.to_thread(decode, data))

    def _report(self, key: tuple[str, str], tap: DriftTap, error: Exception) -> None:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if self._reported.get(key) != reason:
            self._reported[key] = reason
            game, version = key
            _log.error("%s: versions.%s.reference: %s: %s", game, version, tap.uri, reason)


def _use(tap: DriftTap, reference: Reference) -> None:
    if tap.monitor is None or tap.monitor.reference != reference:
        tap.use(reference)
