"""Opens the export of spans if the settings ask for traces."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

from mesh.errors import Misconfigured
from mesh.tracing.options import TraceOptions

if TYPE_CHECKING:
    from mesh.tracing.export import SpanExport  # imports the packages of the extra


@contextlib.asynccontextmanager
async def span_export(
    options: TraceOptions | None, attributes: Mapping[str, str], environ: Mapping[str, str]
) -> AsyncIterator[SpanExport | None]:
    """Yields the export of spans; None without `options`. Raises Misconfigured if the extra is not installed."""
    if options is None:
        yield None
        return
    try:
        from mesh.tracing.export import exporting
    except ModuleNotFoundError as error:
        text = f"--trace-to: the package of {error.name} is not installed; run `pip install 'ensemble-mesh[tracing]'`"
        raise Misconfigured([text]) from error
    async with exporting(options, attributes, environ) as export:
        yield export
