"""Metrics of the certificate in use (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mesh.tls.live import LiveTls


class TlsMetrics(Collector):
    """Collects the expiry of the certificate of `tls` and of its CAs, its refusals, and the handshakes."""

    def __init__(self, tls: LiveTls) -> None:
        self._tls = tls

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics of this moment."""
        pair = self._tls.current
        yield _of_both(
            "mesh_tls_certificate_expiry_timestamp_seconds",
            "Unix time at which the first certificate of the chain in use, or the first CA, expires.",
            pair.not_after.timestamp(),
            pair.ca_not_after.timestamp(),
        )
        yield _of_both(
            "mesh_tls_certificate_lifetime_seconds",
            "Time from the begin to the end of that certificate.",
            pair.lifetime.total_seconds(),
            pair.ca_lifetime.total_seconds(),
        )
        yield GaugeMetricFamily(
            "mesh_tls_certificate_refused",
            "1 while the files have a fault and an earlier certificate is in use, else 0.",
            int(bool(self._tls.refused)),
        )
        yield CounterMetricFamily(
            "mesh_tls_handshakes", "TLS handshakes that peers began on the gRPC ports.", self._tls.handshakes
        )


def _of_both(name: str, documentation: str, own: float, ca: float) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["certificate"])
    family.add_metric(["own"], own)
    family.add_metric(["ca"], ca)
    return family
