"""A throw-away CA and certificates of it, for trials on one machine and for tests: its key has no protection."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mesh.tls.files import TlsFiles

LIFETIME = timedelta(days=365)
CLOCK_SKEW = timedelta(minutes=5)  # a new certificate is valid at once, also where the clock is late


@dataclass(frozen=True, slots=True)
class Times:
    """The lifetime of a certificate; both times have a time zone."""

    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its private key, in PEM."""

    cert: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA: its certificate `cert`, in PEM, and its private key."""

    cert: bytes
    key: ec.EllipticCurvePrivateKey

    def issue(self, names: Sequence[str], times: Times | None = None) -> Issued:
        """Returns a certificate for a server and a client, with a new P-256 key.

        `names` are DNS names, IP addresses and URIs (`spiffe://...`). `times` is `a_year()` by default.
        """
        ca = x509.load_pem_x509_certificate(self.cert)
        key = ec.generate_private_key(ec.SECP256R1())
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            _builder(key, times or a_year())
            .subject_name(x509.Name([]))
            .issuer_name(ca.subject)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(usages, critical=False)
            .add_extension(authority, critical=False)
        )
        return Issued(_pem(builder.sign(self.key, hashes.SHA256())), _key_pem(key))

    def write(self, files: TlsFiles, names: Sequence[str], times: Times | None = None) -> None:
        """Writes a new certificate for `names`, its key, and this CA to `files`, which may exist."""
        issued = self.issue(names, times)
        write_pem(files.ca, self.cert)
        write_pem(files.key, issued.key)
        write_pem(files.cert, issued.cert)


def new_authority(times: Times | None = None, name: str = "throw-away CA of ensemble-mesh") -> Authority:
    """Returns a new CA; `times` is `a_year()` by default."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(key, times or a_year())
        .subject_name(subject)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
    )
    return Authority(_pem(builder.sign(key, hashes.SHA256())), key)


def a_year(now: datetime | None = None) -> Times:
    """Returns the lifetime of a year from `now` on (default: the clock of this machine)."""
    now = now or datetime.now(UTC)
    return Times(now - CLOCK_SKEW, now + LIFETIME)


def files_in(folder: Path, name: str) -> TlsFiles:
    """Returns the files of the service or client `name`: `NAME.pem`, `NAME.key` and `ca.pem` in `folder`."""
    return TlsFiles(folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem")


def write_pem(path: Path, pem: bytes) -> None:
    """Replaces `path` in one step by a file that only its owner can read; creates the folder (mode 0700)."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        Path(temporary).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _builder(key: ec.EllipticCurvePrivateKey, times: Times) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(times.not_before)
        .not_valid_after(times.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _general_name(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
