"""Whether the certificates of open connections still lead to a CA: gRPC checks them in the handshake only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping

from cryptography import x509

from mesh.tls.chain import path_of
from mesh.tls.live import LiveTls

_KEYS = ("x509_pem_cert", "x509_pem_cert_chain")  # of gRPC's auth context: the certificate, and the others that came
MAX_KNOWN = 1024

AuthContext = Mapping[str, Iterable[bytes]]


class Trust:
    """Judges peers by the CAs that `tls` has in use, not by times: a connection may outlive its certificates."""

    def __init__(self, tls: LiveTls) -> None:
        self._tls = tls
        self._first_ca = self._ca = tls.current.ca
        self._authorities: list[x509.Certificate] = []
        self._accepted: dict[bytes, bool] = {}
        self._held: dict[bytes, set[asyncio.Event]] = {}
        tls.subscribe(self._judge_again)

    def accepts(self, peer: AuthContext) -> bool:
        """Returns whether the peer with this auth context leads to a CA in use; True until the CAs change."""
        return self._ca is self._first_ca or self._accepts(_pem(peer))

    @contextlib.contextmanager
    def held(self, peer: AuthContext) -> Iterator[asyncio.Event]:
        """Yields an event that is set when the peer loses its trust while the block runs."""
        pem, lost = _pem(peer), asyncio.Event()
        events = self._held.setdefault(pem, set())
        events.add(lost)
        try:
            yield lost
        finally:
            events.discard(lost)
            if not events:
                self._held.pop(pem, None)

    def _judge_again(self) -> None:
        if self._tls.current.ca == self._ca:
            return
        self._ca = self._tls.current.ca
        self._authorities = x509.load_pem_x509_certificates(self._ca)
        self._accepted.clear()
        for pem, events in self._held.items():
            if not self._accepts(pem):
                for lost in events:
                    lost.set()

    def _accepts(self, pem: bytes) -> bool:
        known = self._accepted.get(pem)
        if known is None:
            if len(self._accepted) >= MAX_KNOWN:
                self._accepted.clear()
            known = self._accepted[pem] = self._leads_to_a_ca(pem)
        return known

    def _leads_to_a_ca(self, pem: bytes) -> bool:
        try:
            return path_of(x509.load_pem_x509_certificates(pem), self._authorities)[-1] in self._authorities
        except ValueError:  # the peer showed no certificate
            return False


def _pem(peer: AuthContext) -> bytes:
    return b"\n".join(pem for key in _KEYS for pem in peer.get(key, ()))
