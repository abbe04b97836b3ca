"""The certificate of this process while it runs: a new pair of files replaces the one in use, a bad pair never does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import grpc

from mesh.errors import Misconfigured
from mesh.tls.files import TlsFiles
from mesh.tls.key_pair import KeyPair, read_key_pair

POLL_S = 1.0
_log = logging.getLogger("mesh.tls")


class LiveTls:
    """Holds the pair in use, `current`. Raises Misconfigured if `files` have faults at the start."""

    def __init__(self, files: TlsFiles, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._files = files
        self._now = now
        self._subscribers: list[Callable[[], None]] = []
        self._fault = ""
        self.current: KeyPair = read_key_pair(files, now())

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Calls `on_change` after each change of `current`, on the event loop of `watch`."""
        self._subscribers.append(on_change)

    async def watch(self) -> None:
        """Reads the files every `POLL_S`, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            self.reload()

    def reload(self) -> None:
        """Reads the files; a good new pair replaces `current`, and the fault of a bad one is logged once."""
        try:
            pair = read_key_pair(self._files, self._now())
        except Misconfigured as error:
            if error.reason != self._fault:
                _log.error("the new certificate is refused, the one before stays in use: %s", error.reason)
            self._fault = error.reason
            return
        self._fault = ""
        if pair != self.current:
            self.current = pair
            _log.info("a new certificate is in use; it expires at %s", pair.not_after.isoformat())
            for on_change in self._subscribers:
                on_change()

    def server_credentials(self, require_client: bool = True) -> grpc.ServerCredentials:
        """Returns credentials that follow `current`; clients must show a certificate of the CAs if `require_client`."""
        served: list[KeyPair] = [self.current]

        def changed() -> grpc.ServerCertificateConfiguration | None:  # gRPC calls it at each handshake
            if self.current is served[0]:
                return None
            served[0] = self.current
            return _configuration(self.current)

        initial = _configuration(self.current)
        return grpc.dynamic_ssl_server_credentials(initial, changed, require_client)  # type: ignore[arg-type]  # wrong stub

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials of `current` for a new channel; gRPC cannot change those of an open channel."""
        pair = self.current
        return grpc.ssl_channel_credentials(pair.ca, pair.key, pair.cert)


def _configuration(pair: KeyPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.cert)], pair.ca)
