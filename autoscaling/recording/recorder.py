"""Records the ticks of one HPA of a live cluster as a trace."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from autoscaling.engine import versions
from autoscaling.engine.hpa import Hpa
from autoscaling.engine.reconciliation import reconcile
from autoscaling.engine.state import INITIAL_STATE
from autoscaling.recording import api_objects, hpa_api
from autoscaling.recording.api_objects import Json, Snapshot
from autoscaling.recording.hpa_api import ApiPaths
from autoscaling.recording.kubectl_proxy import Get, RequestFailed
from autoscaling.recording.tick_detection import TickDetector
from autoscaling.traces.current_metrics import current_metrics
from autoscaling.traces.observations import observation
from autoscaling.traces.trace_file import InitialStatus, RecordedFlags, Tick, TickIn, Trace
from autoscaling.traces.trace_hpa import hpa_of
from mesh.errors import Misconfigured

SNAPSHOT_INTERVAL_S = 0.5
MAX_OUTAGE_S = 120.0


class RecordedHpa(NamedTuple):
    """The HPA to record: a trace without ticks, the HPA of the engine, and the paths of the API."""

    empty_trace: Trace
    hpa: Hpa
    paths: ApiPaths


def find_hpa(get: Get, namespace: str, name: str, flags: Mapping[str, float]) -> RecordedHpa:
    """Reads the HPA and finds its objects in the API; raises Misconfigured if one of them cannot be recorded.

    `flags` are the fields of RecordedFlags: the API does not publish the flags of the controller.
    """
    server = hpa_api.read_required(get, "/version", "the version of the cluster")
    found = hpa_api.read_required(get, hpa_api.hpa_path(namespace, name), f"the HPA {name}")
    release = re.match(r"v?[0-9]+\.[0-9]+(\.[0-9]+)?", server["gitVersion"])
    version = release[0].removeprefix("v") if release else server["gitVersion"]
    empty_trace = Trace(
        spec=found["spec"], controller=RecordedFlags(**flags), kubernetes=version, namespace=namespace, ticks=()
    )
    try:
        rules = versions.parse(version)
    except ValueError as error:
        raise Misconfigured([str(error)]) from None
    hpa = hpa_of(empty_trace, rules, Path(name))
    return RecordedHpa(empty_trace, hpa, hpa_api.find_paths(get, namespace, name, hpa, found["spec"]["scaleTargetRef"]))


class Recorder:
    """Records one HPA; `report` receives messages for the operator."""

    def __init__(
        self,
        get: Get,
        recorded: RecordedHpa,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._get = get
        self._recorded = recorded
        self._report = report
        self._clock = clock
        self._sleep = sleep
        self._begin_s = math.floor(clock())
        self._first_status: Json | None = None
        self.ticks: list[Tick] = []

    def run(self, minutes: float | None) -> Iterator[Tick]:
        """Yields each tick as soon as it is detected; `ticks` holds all of them, also after an interruption.

        Ends after `minutes` (None: no limit), or when the HPA is deleted, its spec changes, or the API fails for
        MAX_OUTAGE_S.
        """
        end_s = math.inf if minutes is None else self._begin_s + 60 * minutes
        detector = TickDetector(self._matches, self._recorded.empty_trace.controller.sync_s)
        for snapshot in self._snapshots(end_s):
            if self._first_status is None:
                self._first_status = snapshot.status
            for tick in detector.add(snapshot):
                self.ticks.append(tick)
                yield tick

    def describe(self, number: int, tick: Tick) -> str:
        """Returns one line about `tick`: local time, replicas, doubt."""
        clock = time.strftime("%H:%M:%S", time.localtime(self._begin_s + tick.observed.t_s))
        before, after = tick.observed.spec_replicas, tick.out.spec_replicas
        doubt = "" if tick.doubt is None else f"  (in doubt: {tick.doubt})"
        replicas = f"{before} -> {after}" if tick.out.rescaled else f"{after}"
        return f"{clock}  tick {number}: {replicas} replicas{doubt}"

    def trace(self) -> Trace:
        """Returns the trace of all recorded ticks; there must be at least one."""
        # Before its first reconcile an HPA has no conditions: then the trace contains the controller's whole state.
        first: Json = self._first_status or {}
        before = InitialStatus(
            desired_replicas=first.get("desiredReplicas", 0), conditions=api_objects.conditions(first)
        )
        since_s = self.ticks[0].observed.t_s + _memory_s(self._recorded.hpa) if before.conditions else None
        update: dict[str, Any] = {
            "before": before,
            "compared_from_s": since_s,
            "not_recorded": ("error",),
            "ticks": tuple(self.ticks),
        }
        return self._recorded.empty_trace.model_copy(update=update)

    def _snapshots(self, end_s: float) -> Iterator[Snapshot]:
        """Every successful snapshot, until the end or until the HPA is no longer the same."""
        failing_since_s = None
        while (now_s := self._clock()) < end_s:
            try:
                snapshot = hpa_api.take_snapshot(self._get, self._recorded.paths, self._begin_s, self._clock)
            except RequestFailed as error:
                if error.status == 404:
                    self._report(f"recording ends: {error.reason}")
                    return
                if failing_since_s is None:
                    self._report(f"snapshot failed: {error.reason}")
                    failing_since_s = now_s
                elif now_s > failing_since_s + MAX_OUTAGE_S:
                    self._report(f"recording ends: no snapshot for {MAX_OUTAGE_S:g} s: {error.reason}")
                    return
            else:
                failing_since_s = None
                if snapshot.spec != self._recorded.empty_trace.spec:
                    self._report("recording ends: the HPA's spec changed, and a trace has only one spec")
                    return
                yield snapshot
            self._sleep(max(0.0, now_s + SNAPSHOT_INTERVAL_S - self._clock()))

    def _matches(self, observed: TickIn, status: Json) -> bool:
        """Whether the engine computes the metrics of `status` from `observed`."""
        hpa = self._recorded.hpa
        rationale = reconcile(hpa, INITIAL_STATE, observation(observed, hpa)).rationale
        return current_metrics(hpa, rationale) == (status.get("currentMetrics") or [])


def _memory_s(hpa: Hpa) -> float:
    """The maximum age of a part of the controller's state that still has an effect."""
    if hpa.behavior is None:
        return hpa.flags.downscale_stabilization_s + 1
    directions = (hpa.behavior.up, hpa.behavior.down)
    return max(max(rules.window_s, rules.longest_period_s) for rules in directions) + 1
