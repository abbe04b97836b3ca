"""The Prometheus metrics of drift, computed at each scrape, and the page `/drift` with all counts (docs/metrics.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mesh.drift.counts import FEATURE, to_json
from mesh.drift.findings import Finding, find
from mesh.drift.reference import encode
from supervisor.drift.tap import DriftTap, drift_taps
from supervisor.game import Game

MAX_FEATURES = 50  # with series of their own, of one version: those with the largest severity
_VERSION = ("game", "version")
_NAMED = (*_VERSION, "kind", "name")
Taps: TypeAlias = dict[tuple[str, str], DriftTap]


class DriftMetrics(Collector):
    """The figures of the versions in force that have a reference. Reads only: it runs on the metrics thread."""

    def __init__(self, games: Mapping[str, Game]) -> None:
        self._games = games

    def collect(self) -> Iterator[Metric]:
        """Yields the current values."""
        taps = self._taps()
        if not taps:
            return
        loaded = GaugeMetricFamily("mesh_drift_reference_loaded", "Whether the reference is loaded.", labels=_VERSION)
        sampled = CounterMetricFamily("mesh_drift_sampled", "Requests compared with the reference.", labels=_VERSION)
        samples = GaugeMetricFamily("mesh_drift_samples", "Requests that the figures are from.", labels=_VERSION)
        found: dict[tuple[str, str], list[Finding]] = {}
        for labels, tap in taps.items():
            monitor = tap.monitor
            loaded.add_metric(labels, float(monitor is not None))
            if monitor is not None:
                counts = monitor.counts()
                sampled.add_metric(labels, monitor.sampled)
                samples.add_metric(labels, counts.samples)
                found[labels] = _shown(find(monitor.layout, counts))
        yield from (loaded, sampled, samples)
        yield from _families(found)

    def page(self) -> bytes:
        """Returns the counts and the reference of each version as JSON, for `mesh drift`."""
        versions = [
            {
                "game": game,
                "version": version,
                "reference": json.loads(encode(tap.monitor.reference)),
                "counts": to_json(tap.monitor.counts()),
            }
            for (game, version), tap in self._taps().items()
            if tap.monitor is not None
        ]
        return json.dumps({"versions": versions}).encode()

    def _taps(self) -> Taps:
        games = {name: self._games[name] for name in self._games}
        return {(name, version): tap for name, game in games.items() for version, tap in drift_taps(game).items()}


def _shown(findings: list[Finding]) -> list[Finding]:
    features = [one for one in findings if one.kind == FEATURE]
    return [*features[:MAX_FEATURES], *(one for one in findings if one.kind != FEATURE)]


def _families(found: Mapping[tuple[str, str], list[Finding]]) -> Iterator[Metric]:
    severity = _gauge("severity", "Drift in shares of its bound: 1 or more is an alert.")
    psi = _gauge("psi", "Population stability index, without its mean for a sample of this size.")
    shift = _gauge("shift", "Difference of the mean, in standard deviations of the training.")
    missing = _gauge("missing_difference", "Share of missing values, minus that of the training.")
    unseen = _gauge("unseen_ratio", "Share of values that no model of the version knows.")
    for labels, findings in found.items():
        for one in findings:
            named = (*labels, one.kind, one.name)
            severity.add_metric(named, one.severity)
            if one.psi is not None:
                psi.add_metric(named, one.psi)
            if one.shift is not None:
                shift.add_metric(named, one.shift)
            if one.kind == FEATURE:
                missing.add_metric(named, one.missing - one.missing_before)
                unseen.add_metric(named, one.unseen)
    yield from (severity, psi, shift, missing, unseen)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"mesh_drift_{name}", text, labels=_NAMED)
