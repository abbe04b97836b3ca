"""A server of `mesh.v1.Offers` that a test controls, for commands that call a mesh."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc

from mesh.wire import offers_pb2_grpc


@contextmanager
def serving(
    servicer: offers_pb2_grpc.OffersServicer, threads: int = 1, credentials: grpc.ServerCredentials | None = None
) -> Iterator[str]:
    """Serves on a free loopback port while the block lasts, in plaintext without `credentials`; yields the address."""
    server = grpc.server(futures.ThreadPoolExecutor(threads))
    offers_pb2_grpc.add_OffersServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    place = "127.0.0.1:0"
    port = server.add_insecure_port(place) if credentials is None else server.add_secure_port(place, credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
