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
        expiry = GaugeMetricFamily(
            "mesh_tls_certificate_expiry_timestamp_seconds",
            "Unix time at which the first certificate of the chain in use, or the first CA, expires.",
            labels=["certificate"],
        )
        expiry.add_metric(["own"], pair.not_after.timestamp())
        expiry.add_metric(["ca"], pair.ca_not_after.timestamp())
        yield expiry
        yield GaugeMetricFamily(
            "mesh_tls_certificate_refused",
            "1 while the files have a fault and an earlier certificate is in use, else 0.",
            int(bool(self._tls.refused)),
        )
        yield CounterMetricFamily(
            "mesh_tls_handshakes", "TLS handshakes that peers began on the gRPC ports.", self._tls.handshakes
        )
