"""Writes a recorded trace to its file in one step: the file never has part of a trace."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

from autoscaling.traces.trace_file import Trace
from mesh.errors import Misconfigured

# The known inaccuracies of a recording; every recorded trace contains them.
APPROXIMATE = (
    "t_s is the time of the reconcile to about half a second; the API does not publish this time.",
    "in.pods and in.metrics are the responses of the API right before the status changed. If they changed at about "
    "that time, or if the status did not change at a reconcile, the tick has a doubt.",
    "Times of pods and metrics are from the clock of the cluster, t_s is from the clock of the recorder: the two "
    "clocks are assumed to agree.",
    "The API does not contain the flags of the controller: the field controller contains the recorder's options.",
    "The API contains neither the error of a reconcile nor the state that the controller had before compared_from_s. "
    "If an HPA is deleted and created again within one period, the controller treats it as the same HPA.",
)


@contextlib.contextmanager
def temporary_file(out: Path) -> Iterator[Path]:
    """Creates a file beside `out` and removes it at the end of the block; raises Misconfigured if it cannot."""
    part = out.with_name(out.name + ".part")
    try:
        part.touch()
        if out.is_dir():
            raise IsADirectoryError(21, os.strerror(21))
    except OSError as error:
        raise Misconfigured([f"{out}: cannot be written: {error.strerror}"]) from None
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def write(part: Path, out: Path, trace: Trace) -> None:
    """Writes `trace` to `part`, then renames it to `out`; compresses it if `out` ends in `.gz`."""
    document = trace.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = json.dumps({**document, "approximate": APPROXIMATE}, separators=(",", ":")).encode() + b"\n"
    part.write_bytes(gzip.compress(text, mtime=0) if out.suffix == ".gz" else text)
    part.replace(out)
