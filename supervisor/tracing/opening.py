"""Opens the traces of a supervisor."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator

from prometheus_client import CollectorRegistry

from mesh.tracing.opening import span_export
from mesh.tracing.options import TraceOptions
from supervisor.tracing.tracer import Tracer


@contextlib.asynccontextmanager
async def tracing(options: TraceOptions | None, registry: CollectorRegistry) -> AsyncIterator[Tracer | None]:
    """Yields the tracer, whose metrics are in `registry`; None without `options`. Raises Misconfigured."""
    instance = f"{socket.gethostname()}-{os.getpid()}"
    attributes = {"service.name": "ensemble-mesh-supervisor", "service.instance.id": instance}
    async with span_export(options, attributes, os.environ) as export:
        if options is None or export is None:
            yield None
            return
        from mesh.tracing.metrics import TraceMetrics

        registry.register(TraceMetrics(export))
        yield Tracer(export, options.share)
