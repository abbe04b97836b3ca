"""`mesh hpa record`: records what the HPA controller of a live cluster observes and decides, for `mesh hpa replay`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from autoscaling.recording import kubectl_proxy, trace_output
from autoscaling.recording.recorder import Recorder, find_hpa
from mesh.cli import console
from mesh.cli.hpa.record_options import FLAGS
from mesh.cli.main import DONE, FAILED


def run(arguments: argparse.Namespace) -> int:
    """Records until the time is over, the HPA changes, or Ctrl-C; returns 0 if it wrote a file."""
    out: Path = arguments.out or Path(f"{arguments.name}.json.gz")
    options = {"--kubeconfig": arguments.kubeconfig, "--context": arguments.context}
    kubectl = [arguments.kubectl, *(f"{option}={value}" for option, value in options.items() if value is not None)]
    fields = [flag.replace("-", "_") for flag in FLAGS]
    with trace_output.temporary_file(out) as part, kubectl_proxy.open_proxy(kubectl) as get:
        flags = {field: getattr(arguments, field) for field in fields}
        recorder = Recorder(get, find_hpa(get, arguments.namespace, arguments.name, flags), _report)
        _report(f"recording {arguments.namespace}/{arguments.name}; press Ctrl-C to end and to write the file")
        with _interruptible():
            for number, tick in enumerate(recorder.run(arguments.minutes), 1):
                _report(recorder.describe(number, tick))
        if not recorder.ticks:
            _report("nothing was recorded: the HPA's status did not change, so that no reconcile could be detected")
            return FAILED
        trace_output.write(part, out, recorder.trace())
    doubtful = sum(one.doubt is not None for one in recorder.ticks)
    _report(f"{out}: {console.count(len(recorder.ticks), 'tick')}, {doubtful} in doubt")
    return DONE


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C or SIGTERM ends only the block."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
