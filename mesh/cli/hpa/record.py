"""`mesh hpa record`: writes down what the HPA controller of a live cluster sees and decides, for `mesh hpa replay`."""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import math
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from autoscaling.engine import versions
from autoscaling.engine.hpa import Hpa
from autoscaling.engine.reconciliation import reconcile
from autoscaling.engine.state import NEW
from autoscaling.recording import api_objects, hpa_api, kubectl_proxy
from autoscaling.recording.api_objects import Json, Sight
from autoscaling.recording.hpa_api import Paths
from autoscaling.recording.kubectl_proxy import Get, Refused
from autoscaling.recording.tick_detection import Noticing
from autoscaling.traces import observations
from autoscaling.traces.current_metrics import current_metrics
from autoscaling.traces.trace_file import Before, RecordedFlags, Tick, TickIn, Trace
from mesh.cli.hpa.record_options import FLAGS
from mesh.cli.main import DONE, FAILED
from mesh.errors import Misconfigured

LOOK_S = 0.5
SILENCE_S = 120.0
APPROXIMATE = (
    "t_s is where a reconcile is known to lie, to about half a second; the API does not publish it.",
    "in.pods and in.metrics are what the API said right before the status changed; where they changed at about that "
    "time, or where no change of the status tells of the reconcile, the tick has a word of doubt.",
    "Times of pods and metrics are the cluster's clock, t_s is the recorder's: the two are taken to agree.",
    "The controller's flags are not in the API: controller is what the recorder was told.",
    "The error that a reconcile returns is not in the API; what the controller remembered from before compared_from_s "
    "is not, either. An HPA that was deleted and made again within a period is the same one to the controller.",
)


class _Known(NamedTuple):
    """What is there before the first look."""

    empty: Trace
    hpa: Hpa
    paths: Paths


def run(arguments: argparse.Namespace) -> int:
    """Records until the time is over, the HPA changes or Ctrl-C; 0 if there is a file then."""
    out: Path = arguments.out or Path(f"{arguments.name}.json.gz")
    options = {"--kubeconfig": arguments.kubeconfig, "--context": arguments.context}
    kubectl = [arguments.kubectl, *(f"{option}={value}" for option, value in options.items() if value is not None)]
    with _written(out) as part, kubectl_proxy.opened(kubectl) as get:
        known = _known(get, arguments)
        first, ticks = _record(get, known, arguments)
        if not ticks:
            _say("nothing was recorded: the HPA's status did not change, and no other sign tells when it was looked at")
            return FAILED
        _write(part, out, _trace(known, first, ticks))
        part.replace(out)
    _say(f"{out}: {len(ticks)} ticks, {sum(one.doubt is not None for one in ticks)} of them in doubt")
    return DONE


def _known(get: Get, arguments: argparse.Namespace) -> _Known:
    name, namespace = arguments.name, arguments.namespace
    server = hpa_api.required(get, "/version", "the version of the cluster")
    found = hpa_api.required(get, hpa_api.hpa_path(namespace, name), f"the HPA {name}")
    release = re.match(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?", server["gitVersion"])
    version = release[0].removeprefix("v") if release else server["gitVersion"]
    flags = RecordedFlags(**{flag.replace("-", "_"): getattr(arguments, flag.replace("-", "_")) for flag in FLAGS})
    empty = Trace(spec=found["spec"], controller=flags, kubernetes=version, namespace=namespace, ticks=())
    try:
        rules = versions.parse(version)
    except ValueError as error:
        raise Misconfigured([str(error)]) from None
    hpa = observations.rules(empty, rules, Path(name))
    return _Known(empty, hpa, hpa_api.find(get, namespace, name, hpa, found["spec"]["scaleTargetRef"]))


def _record(get: Get, known: _Known, arguments: argparse.Namespace) -> tuple[Json, list[Tick]]:
    """The first status, and the ticks after it."""
    begin_s = math.floor(time.time())
    end_s = math.inf if arguments.minutes is None else begin_s + 60 * arguments.minutes
    first: Json | None = None
    ticks = list[Tick]()
    noticing = Noticing(lambda seen, status: _fits(known.hpa, seen, status), arguments.sync_s)
    _say(f"recording {arguments.namespace}/{arguments.name}; Ctrl-C ends it and writes the file")
    with _interruptible():
        for sight in _looks(get, known, begin_s, end_s):
            first = sight.status if first is None else first
            for tick in noticing.take(sight):
                ticks.append(tick)
                _say(_line(begin_s, len(ticks), tick))
    return first or {}, ticks


def _looks(get: Get, known: _Known, begin_s: float, end_s: float) -> Iterator[Sight]:
    """Every look that succeeds, until the end or until there is another HPA to look at."""
    silent_s = None
    while (now_s := time.time()) < end_s:
        try:
            sight = hpa_api.look(get, known.paths, begin_s)
        except Refused as error:
            if error.status == 404:
                _say(f"the end: {error.reason}")
                return
            if silent_s is None:
                _say(f"no look: {error.reason}")
                silent_s = now_s
            elif now_s > silent_s + SILENCE_S:
                _say(f"the end: no look for {SILENCE_S:g} s: {error.reason}")
                return
        else:
            silent_s = None
            if sight.spec != known.empty.spec:
                _say("the end: the HPA's spec was changed, and a trace is of one spec")
                return
            yield sight
        time.sleep(max(0.0, now_s + LOOK_S - time.time()))


def _fits(hpa: Hpa, seen: TickIn, status: Json) -> bool:
    """Whether what was seen comes to the metrics that the status shows."""
    reasoning = reconcile(hpa, NEW, observations.sight(seen, hpa)).reasoning
    return current_metrics(hpa, reasoning) == (status.get("currentMetrics") or [])


def _trace(known: _Known, first: Json, ticks: list[Tick]) -> Trace:
    """Before its first reconcile an HPA has no conditions: then nothing that the controller remembers is missing."""
    before = Before(desired_replicas=first.get("desiredReplicas", 0), conditions=api_objects.conditions(first))
    since_s = ticks[0].seen.t_s + _memory_s(known.hpa) if before.conditions else None
    update = {"before": before, "compared_from_s": since_s, "not_recorded": ("error",), "ticks": tuple(ticks)}
    return known.empty.model_copy(update=update)


def _memory_s(hpa: Hpa) -> float:
    """How long the controller remembers what may still count."""
    if hpa.behavior is None:
        return hpa.flags.downscale_stabilization_s + 1
    sides = (hpa.behavior.up, hpa.behavior.down)
    return max(max(side.window_s, side.longest_period_s) for side in sides) + 1


@contextlib.contextmanager
def _written(out: Path) -> Iterator[Path]:
    """A file beside `out` to write to; it is not left behind. Raises Misconfigured where there can be none."""
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


def _write(part: Path, out: Path, trace: Trace) -> None:
    said = trace.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = _json({**said, "approximate": APPROXIMATE})
    part.write_bytes(gzip.compress(text, mtime=0) if out.suffix == ".gz" else text)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C, or SIGTERM, ends the block and nothing else."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _line(begin_s: float, number: int, tick: Tick) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(begin_s + tick.seen.t_s))
    then, now = tick.seen.spec_replicas, tick.out.spec_replicas
    doubt = "" if tick.doubt is None else f"  (in doubt: {tick.doubt})"
    return f"{clock}  tick {number}: {f'{then} -> {now}' if tick.out.rescaled else f'{now}'} replicas{doubt}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
