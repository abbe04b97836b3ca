"""TLS of the metrics port, with the certificate of the gRPC ports and without client certificates."""

from __future__ import annotations

import logging
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from mesh.tls.key_pair import KeyPair
from mesh.tls.live import LiveTls

_log = logging.getLogger("mesh.tls")


class HttpsContext:
    """Makes the context of a connection from the pair that `tls` has in use.

    A context keeps a certificate for each kind of key, so a new pair gets a new context. Raises ssl.SSLError if OpenSSL
    refuses the first pair; a later pair that it refuses is logged, and the one before stays in use.
    """

    def __init__(self, tls: LiveTls) -> None:
        self._tls = tls
        self._pair = tls.current
        self._context = server_context(tls.current)

    def __call__(self) -> ssl.SSLContext:
        """Returns the context for a new connection."""
        pair = self._tls.current
        if pair is not self._pair:
            self._pair = pair
            try:
                self._context = server_context(pair)
            except ssl.SSLError as error:
                _log.error("the metrics port keeps its certificate, because OpenSSL refuses the new one: %s", error)
        return self._context


def server_context(pair: KeyPair) -> ssl.SSLContext:
    """Returns a context for the server side that serves `pair`; raises ssl.SSLError if OpenSSL refuses it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with _as_file(pair.cert) as cert, _as_file(pair.key) as key:
        context.load_cert_chain(cert, key, password=lambda: b"")  # no question on the terminal, ever
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Yields the path of a file with `content`, in memory on Linux: the file system of a pod is read-only."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem", os.MFD_CLOEXEC), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
        return
    with tempfile.NamedTemporaryFile() as file:  # only its owner may read it
        file.write(content)
        file.flush()
        yield file.name
