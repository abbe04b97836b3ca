"""The PEM files of TLS, and the options that name them.

This module imports only the standard library: a model worker reads its settings before it imports gRPC.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OPTIONS = ("tls_cert", "tls_key", "tls_ca")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files, as cert-manager or SPIFFE mount them: a chain of certificates, its key, and the CAs of the peers."""

    cert: Path
    key: Path
    ca: Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a service; `tls_files` reads their values."""
    group = parser.add_argument_group("TLS (all three or none; default: none, every connection is plaintext)")
    group.add_argument("--tls-cert", metavar="FILE", help="PEM file: certificate of this service, and its chain")
    group.add_argument("--tls-key", metavar="FILE", help="PEM file: private key of the certificate")
    group.add_argument("--tls-ca", metavar="FILE", help="PEM file: CAs whose certificates peers must show")
    about = "serve metrics and health over TLS too, with the same certificate and without client certificates"
    group.add_argument("--metrics-tls", action="store_true", help=about)


def faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Yields a fault for each option that is missing beside the others."""
    missing = [name for name in _OPTIONS if not values[name]]
    if len(missing) < len(_OPTIONS):
        yield from (f"--{name.replace('_', '-')}: is missing; give it with the other TLS options" for name in missing)
    elif values["metrics_tls"]:
        yield "--metrics-tls: needs a certificate; give --tls-cert, --tls-key and --tls-ca"


def tls_files(values: dict[str, Any]) -> TlsFiles | None:
    """Takes the TLS options out of `values` and returns their files; None without TLS."""
    cert, key, ca = (values.pop(name) for name in _OPTIONS)
    return TlsFiles(Path(cert), Path(key), Path(ca)) if cert and key and ca else None
