"""The catalog block `kubernetes.tls`: where the pods of a game get their certificates from."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from mesh.block import Block, Text

Duration = Annotated[str, Field(pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", min_length=2, max_length=30)]


class Issuer(Block):
    """The issuer of cert-manager that signs the certificates; it must be a CA of your own."""

    name: Text = Field(description="name of the issuer")
    kind: Text = Field("Issuer", description="Issuer, ClusterIssuer, or a kind of another group")
    group: Text = Field("cert-manager.io", description="API group of the issuer")


class CertManager(Block):
    """Certificates of cert-manager: one for the supervisors and one for the workers."""

    issuer: Issuer
    duration: Duration = Field("2160h", description="lifetime of a certificate")
    renew_before: Duration = Field("720h", description="time before its end at which cert-manager renews it")


class PodTls(Block):
    """TLS of every connection: name two Secrets, or let cert-manager make them. Without both, all is plaintext."""

    supervisor_secret: Text | None = Field(
        None, description="name of the supervisors' Secret, with tls.crt, tls.key and ca.crt"
    )
    worker_secret: Text | None = Field(
        None, description="name of the workers' Secret, with tls.crt, tls.key and ca.crt"
    )
    cert_manager: CertManager | None = Field(None, description="lets cert-manager make the Secrets; it needs an issuer")
    metrics: bool = Field(False, description="serve the metrics and the probes over TLS, with the same certificate")


def _consistent(tls: PodTls) -> PodTls:
    named = [tls.supervisor_secret, tls.worker_secret]
    if any(named) and not all(named):
        raise ValueError("names one Secret of two; name supervisor_secret and worker_secret")
    if any(named) and tls.cert_manager:
        raise ValueError("has Secrets and cert_manager; remove one of the two")
    if tls.metrics and not any(named) and not tls.cert_manager:
        raise ValueError("metrics over TLS need a certificate; name the Secrets or set cert_manager")
    return tls


CheckedTls = Annotated[PodTls, AfterValidator(_consistent)]
