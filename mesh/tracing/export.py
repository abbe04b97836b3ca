"""Exports spans over OTLP, on a thread of its own: a collector that is slow or down never delays a request.

Imported only if traces are on, because it imports the packages of the extra `tracing`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from mesh.tracing.encoding import BatchEncoder
from mesh.tracing.options import TraceOptions
from mesh.tracing.spans import Span

MAX_QUEUED = 4096  # spans; about 4 MB
BATCH, DELAY_MS = 512, 5000.0  # a batch costs about 0.5 ms of CPU, beside its spans
TIMEOUT_S = 5.0  # of one batch, with its retries
LAST_S = 1.0  # for the last spans at a stop
_SAMPLED = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class SpanExport:
    """Queues spans for the collector of `options`, at most `MAX_QUEUED`; drops and counts the others.

    `attributes` describe this process. `environ` has the standard variables of OTLP exporters.
    """

    def __init__(self, options: TraceOptions, attributes: Mapping[str, str], environ: Mapping[str, str]) -> None:
        # The exporter's warnings about each retry say nothing that the error at their end does not say.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        encoder = BatchEncoder(Resource.create(dict(attributes)))
        self._exporter = _CountingExporter(_otlp_exporter(encoder, options, environ))
        self._processor = BatchSpanProcessor(self._exporter, MAX_QUEUED, DELAY_MS, BATCH)
        self._queued = 0  # since the start
        self._skipped = 0
        self._unqueued = 0

    def emit(self, span: Span) -> None:
        """Queues `span`, or drops it if the queue is full."""
        if self._queued - self._exporter.taken >= MAX_QUEUED:
            self._unqueued += 1
            return
        self._queued += 1
        self._processor.on_end(_Queued(span))

    def skip(self) -> None:
        """Counts a span that was not made, because too many traces are kept already."""
        self._skipped += 1

    @property
    def sent(self) -> int:
        """The number of spans that the collector took."""
        return self._exporter.sent

    def dropped(self) -> dict[str, int]:
        """Returns the number of dropped spans by reason."""
        return {"rate": self._skipped, "queue": self._unqueued, "collector": self._exporter.failed}

    async def close(self) -> None:
        """Sends the last spans, for at most `LAST_S`, and ends the thread."""
        flushing = asyncio.create_task(asyncio.to_thread(self._processor.force_flush))
        await asyncio.wait((flushing,), timeout=LAST_S)
        self._exporter.shutdown()  # ends a call to a collector that does not answer, and the waits between retries
        await asyncio.to_thread(self._processor.shutdown)
        await flushing


@contextlib.asynccontextmanager
async def exporting(
    options: TraceOptions, attributes: Mapping[str, str], environ: Mapping[str, str]
) -> AsyncIterator[SpanExport]:
    """Exports spans while the block lasts."""
    export = SpanExport(options, attributes, environ)
    try:
        yield export
    finally:
        await export.close()


class _Queued(ReadableSpan):
    """A span in the queue of the SDK, which reads only that it is sampled."""

    def __init__(self, own: Span) -> None:
        self._context = _SAMPLED
        self.own = own


class _Exporter(OTLPSpanExporter):
    """Sends batches with our own encoding; the SDK's exporter connects and retries."""

    encoder: BatchEncoder

    def _translate_data(self, data: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
        return self.encoder.encoded(span.own for span in data if isinstance(span, _Queued))


class _CountingExporter(SpanExporter):
    """Counts the spans that `inner` sends. Its thread alone writes the counts."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self.taken = 0  # from the queue
        self.sent = 0
        self.failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.sent += len(spans)
        else:
            self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()


def _otlp_exporter(encoder: BatchEncoder, options: TraceOptions, environ: Mapping[str, str]) -> OTLPSpanExporter:
    """The exporter, plaintext unless the standard variables name a certificate or say that it is not insecure."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_")
    has_tls = any(environ.get(name + "CERTIFICATE") for name in names)
    has_tls |= any(environ.get(name + "INSECURE", "").lower() == "false" for name in names)
    has_timeout = any(environ.get(name + "TIMEOUT") for name in names)
    scheme = "https" if has_tls else "http"
    exporter = _Exporter(f"{scheme}://{options.to}", timeout=None if has_timeout else TIMEOUT_S)
    exporter.encoder = encoder
    return exporter
