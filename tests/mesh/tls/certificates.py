"""Certificates of every kind, also wrong ones, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mesh.tls.files import TlsFiles

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
NAME = "service.demo.mesh"


def ec_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


@dataclass(frozen=True)
class Holder:
    """A key with its certificate; `chain` are the certificates behind it in the file."""

    key: Key
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def cert_pem(self) -> bytes:
        return pem(self.certificate, *self.chain)

    @property
    def key_pem(self) -> bytes:
        return key_pem(self.key)


@dataclass(frozen=True)
class Wish:
    """What to issue; the defaults are a good certificate of a service."""

    subject: str = "service"
    names: Sequence[x509.GeneralName] = (x509.DNSName(NAME),)
    is_ca: bool = False
    begin: datetime = NOW - DAY
    end: datetime = NOW + 30 * DAY
    key: Key | None = None
    extensions: Sequence[x509.ExtensionType] = field(default_factory=tuple)


def authority(subject: str = "CA", key: Key | None = None, end: datetime = NOW + 365 * DAY) -> Holder:
    """Returns a CA that signed its own certificate."""
    return issue(None, Wish(subject, is_ca=True, key=key, end=end, begin=NOW - 365 * DAY))


def issue(issuer: Holder | None, wish: Wish = Wish()) -> Holder:
    """Returns a key with a certificate of `issuer`; None: signed by itself."""
    key = wish.key or ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wish.subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.begin)
        .not_valid_after(wish.end)
        .add_extension(x509.BasicConstraints(wish.is_ca, None), critical=True)
    )
    if wish.names and not wish.is_ca:
        builder = builder.add_extension(x509.SubjectAlternativeName(wish.names), critical=False)
    for extension in wish.extensions:
        builder = builder.add_extension(extension, critical=False)
    signer = key if issuer is None else issuer.key
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    certificate = builder.sign(signer, digest)
    is_intermediate = issuer is not None and issuer.certificate.issuer != issuer.certificate.subject
    return Holder(key, certificate, (issuer.certificate, *issuer.chain) if issuer and is_intermediate else ())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def key_pem(key: Key, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def write(folder: Path, holder: Holder, *authorities: Holder) -> TlsFiles:
    """Writes the files of a service into `folder`."""
    files = TlsFiles(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")
    files.cert.write_bytes(holder.cert_pem)
    files.key.write_bytes(holder.key_pem)
    files.ca.write_bytes(pem(*(one.certificate for one in authorities)))
    return files
