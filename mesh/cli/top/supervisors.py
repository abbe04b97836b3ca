"""What `mesh top` shows of one supervisor: its answers, its CPU, and its certificates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mesh.cli.status.interval import Interval
from mesh.cli.status.quantiles import quantile
from mesh.cli.top.scrapes import Scrape

_EXPIRY, _LIFETIME = "mesh_tls_certificate_expiry_timestamp_seconds", "mesh_tls_certificate_lifetime_seconds"


@dataclass(frozen=True, slots=True)
class CertificateView:
    """A certificate of a supervisor, `own` or `ca`. `expires_s` is negative after its end."""

    kind: str
    expires_s: float
    lifetime_s: float


@dataclass(frozen=True, slots=True)
class SupervisorView:
    """One supervisor. `fault` says why it has no figures; both are None while its first answers are awaited.

    `starved_share` and `lag_p99_ms` are None without requests. `is_certificate_refused`: new files have a fault.
    """

    address: str
    fault: str | None = None
    is_read: bool = False
    answers_per_s: float = 0.0
    p99_ms: float | None = None
    starved_share: float | None = None
    lag_p99_ms: float | None = None
    cohorts_under_way: int = 0
    requests_waiting: int = 0
    lanes_stale: int = 0
    certificates: list[CertificateView] = field(default_factory=list)
    is_certificate_refused: bool = False


def supervisor(scrape: Scrape, interval: Interval | None, now_s: float) -> SupervisorView:
    """Returns the view of one supervisor; without an interval, why there is none."""
    if interval is None:
        return SupervisorView(scrape.address, scrape.fault)
    page = interval.after
    answers = interval.rate("mesh_requests_total")
    return SupervisorView(
        scrape.address,
        is_read=True,
        answers_per_s=answers,
        p99_ms=_in_ms(quantile(interval.buckets("mesh_request_seconds"), 0.99)),
        # An idle thread wants so little CPU that every wait counts much.
        starved_share=page.total("mesh_starved_share") if answers else None,
        lag_p99_ms=_in_ms(quantile(interval.buckets("mesh_loop_lag_seconds"), 0.99)),
        cohorts_under_way=int(page.total("mesh_cohorts_under_way")),
        requests_waiting=int(page.total("mesh_requests_waiting")),
        lanes_stale=int(page.total("mesh_lanes_stale")),
        certificates=list(_certificates(interval, now_s)),
        is_certificate_refused=page.total("mesh_tls_certificate_refused") > 0,
    )


def _certificates(interval: Interval, now_s: float) -> Iterator[CertificateView]:
    for sample in interval.after.find(_EXPIRY):
        kind = sample.labels["certificate"]
        yield CertificateView(kind, sample.value - now_s, interval.after.total(_LIFETIME, certificate=kind))


def _in_ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
