"""The certificate of this process while it runs: a new pair of files replaces the one in use, a bad pair never does."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import grpc

from mesh.errors import Misconfigured
from mesh.tls.demands import Demands
from mesh.tls.fault_log import FaultLog
from mesh.tls.files import TlsFiles
from mesh.tls.key_pair import ANY_USE, KeyPair, check_key_pair, read_key_pair
from mesh.tls.leaf import name_faults
from mesh.tls.pem import PemBytes, read_pem_files

POLL_S = 1.0
_log = logging.getLogger("mesh.tls")


class LiveTls:
    """Holds the pair in use, `current`. Raises Misconfigured if `files` have faults at the start.

    `demands` are those of the peers; `demand_names` adds names. `refused` is the fault of the files, "" if the pair in
    use is theirs.
    """

    def __init__(
        self,
        files: TlsFiles,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        demands: Demands = ANY_USE,
    ) -> None:
        self._files = files
        self._now = now
        self._demands = demands
        self._names: Callable[[], Mapping[str, str]] = dict
        self._subscribers: list[Callable[[], None]] = []
        self._handshakes = itertools.count()
        self._refusals, self._unfitness = FaultLog(_log), FaultLog(_log)
        self._seen: PemBytes | str = ""
        self.handshakes = 0
        self.refused = ""
        self.current: KeyPair = read_key_pair(files, now(), demands)
        self._warn(self.current)

    def subscribe(self, on_change: Callable[[], None]) -> None:
        """Calls `on_change` after each change of `current`, on the event loop of `watch`."""
        self._subscribers.append(on_change)

    def demand_names(self, names: Callable[[], Mapping[str, str]]) -> None:
        """Demands the names of `names()`, by the places that demand them, of this and each later certificate.

        `names` is called on the event loop. Raises Misconfigured if the pair in use lacks a name.
        """
        self._names = names
        faults = list(name_faults(self._files.cert, self.current.names, self._all_demands()))
        if faults:
            raise Misconfigured(faults)

    async def watch(self) -> None:
        """Polls the files every `POLL_S`, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self.poll()

    async def poll(self) -> None:
        """Reads the files on a thread. What two polls in a row find replaces `current`, or is logged as a fault.

        A single poll may find files of two pairs: some programs write one file after the other.
        """
        before, self._seen = self._seen, await asyncio.to_thread(self._read)
        if self._seen == before:
            self._take(await asyncio.to_thread(self._checked, before, self._all_demands()))
        self._say_if_unfit()

    def reload(self) -> None:
        """Reads the files at once; a good new pair replaces `current`, the fault of a bad one is logged."""
        self._take(self._checked(self._read(), self._all_demands()))

    def server_credentials(self, require_client: bool = True) -> grpc.ServerCredentials:
        """Returns credentials that follow `current`, for one port: each port needs credentials of its own.

        Clients must show a certificate of the CAs if `require_client`.
        """
        served: list[KeyPair] = [self.current]

        def changed() -> grpc.ServerCertificateConfiguration | None:  # gRPC calls it at each handshake, on any thread
            self.handshakes = next(self._handshakes) + 1
            current = self.current
            if current is served[0]:
                return None
            served[0] = current
            return _configuration(current)

        initial = _configuration(self.current)
        return grpc.dynamic_ssl_server_credentials(initial, changed, require_client)  # type: ignore[arg-type]  # wrong stub

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Returns the credentials of `current` for a new channel; gRPC cannot change those of an open channel."""
        pair = self.current
        return grpc.ssl_channel_credentials(pair.ca, pair.key, pair.cert)

    def _all_demands(self) -> Demands:
        return replace(self._demands, names={**self._demands.names, **self._names()})

    def _read(self) -> PemBytes | str:
        """The content of the files, or their fault."""
        try:
            return read_pem_files(self._files)
        except Misconfigured as error:
            return error.reason

    def _checked(self, seen: PemBytes | str, demands: Demands) -> KeyPair | str:
        """The pair of the files, or their fault."""
        if isinstance(seen, str):
            return seen
        current = self.current
        if (seen.cert, seen.key, seen.ca) == (current.cert, current.key, current.ca):
            return current
        try:
            return check_key_pair(self._files, seen, self._now(), demands)
        except Misconfigured as error:
            return error.reason
        except Exception as error:  # a file that the parser cannot bear must not end a server
            return f"{self._files.cert}: cannot be checked: {type(error).__name__}; issue the certificate again"

    def _take(self, checked: KeyPair | str) -> None:
        self.refused = checked if isinstance(checked, str) else ""
        refusal = f"the new certificate is refused, the one before stays in use: {self.refused}"
        self._refusals.report(refusal if self.refused else "", self._now())
        if isinstance(checked, str) or checked is self.current:
            return
        self.current = checked
        _log.info("a new certificate is in use; it expires at %s", checked.not_after.isoformat())
        self._warn(checked)
        for on_change in self._subscribers:
            on_change()

    def _say_if_unfit(self) -> None:
        """Logs why peers refuse the pair in use: it expired, or a changed catalog demands another name."""
        end, cert = self.current.not_after, self._files.cert
        faults = list(name_faults(cert, self.current.names, self._all_demands()))
        if self._now() >= end:
            faults.append(f"{cert}: the certificate in use expired at {end:%Y-%m-%d %H:%M} UTC; renew it")
        self._unfitness.report(f"peers refuse new connections: {'; '.join(faults)}" if faults else "", self._now())

    def _warn(self, pair: KeyPair) -> None:
        for sentence in pair.warnings:
            _log.warning("%s", sentence)


def _configuration(pair: KeyPair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.cert)], pair.ca)
