"""A certificate with its key and the CAs of its peers, read from PEM files and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from mesh.errors import Misconfigured, unreadable
from mesh.tls.files import TlsFiles


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM bytes that belong together; `names` are the DNS and URI names of the certificate."""

    cert: bytes
    key: bytes
    ca: bytes
    not_after: datetime
    names: frozenset[str]


def read_key_pair(files: TlsFiles, now: datetime) -> KeyPair:
    """Reads and checks `files`; raises Misconfigured, with the file and the fix, unless peers would accept them `now`.

    `now` has a time zone.
    """
    cert, key, ca = _read(files.cert), _read(files.key), read_authorities(files.ca)
    chain = _certificates(files.cert, cert)
    leaf = chain[0]
    faults = [*_key_faults(files, leaf, key), *_time_faults(files.cert, leaf, now)]
    if faults:
        raise Misconfigured(faults)
    return KeyPair(cert, key, ca, leaf.not_valid_after_utc, _names(leaf))


def read_authorities(path: Path) -> bytes:
    """Reads the CAs of a peer; raises Misconfigured unless `path` is a PEM file of certificates."""
    pem = _read(path)
    _certificates(path, pem)
    return pem


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error, "give a PEM file that this process may read") from error


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Misconfigured([f"{path}: is not a PEM file of certificates: {error}"]) from error


def _key_faults(files: TlsFiles, leaf: x509.Certificate, key: bytes) -> Iterator[str]:
    try:
        public = load_pem_private_key(key, password=None).public_key()
    except (ValueError, TypeError) as error:
        yield f"{files.key}: is not a PEM file of a private key without a password: {error}"
        return
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if public.public_bytes(*form) != leaf.public_key().public_bytes(*form):
        yield f"{files.key}: is not the key of the first certificate in {files.cert}; give both files of one pair"


def _time_faults(path: Path, leaf: x509.Certificate, now: datetime) -> Iterator[str]:
    if now >= leaf.not_valid_after_utc:
        yield f"{path}: the certificate expired at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; renew it"
    if now < leaf.not_valid_before_utc:
        begin = f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M}"
        yield f"{path}: the certificate is valid from {begin} UTC on; check the clock, or give a valid certificate"


def _names(leaf: x509.Certificate) -> frozenset[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    kinds = (x509.DNSName, x509.UniformResourceIdentifier)
    return frozenset(name for kind in kinds for name in names.get_values_for_type(kind))
