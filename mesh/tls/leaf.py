"""Checks of the certificate of a service itself: would gRPC and the peers accept it?

The rules are those of gRPC's BoringSSL, which says nothing to Python when it refuses a certificate, and of the clients
that are stricter (docs/decisions/0028-tls.md has the list; tests/mesh/tls/test_grpc_accepts.py compares).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from mesh.tls.demands import Demands

MIN_RSA_BITS = 2048
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_SHA1 = (SignatureAlgorithmOID.RSA_WITH_SHA1, SignatureAlgorithmOID.ECDSA_WITH_SHA1, SignatureAlgorithmOID.RSA_WITH_MD5)


def leaf_faults(path: Path, leaf: x509.Certificate, now: datetime, demands: Demands) -> Iterator[str]:
    """Yields a sentence for each reason to refuse `leaf`, which was read from `path`. `now` has a time zone.

    Raises ValueError if an extension cannot be parsed.
    """
    yield from time_faults(path, leaf, now)
    yield from _algorithm_faults(path, leaf)
    yield from _usage_faults(path, leaf, demands)
    yield from name_faults(path, names_of(leaf), demands)
    if demands.dns_name and not _names(leaf, x509.DNSName):
        yield (
            f"{path}: the certificate has no DNS name, and gRPC's clients find a server by nothing else; "
            "add the name that the catalog has as tls.worker (default: worker.GAME.mesh)"
        )


def time_faults(path: Path, certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    """Yields a fault if `certificate` is not valid `now`."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    what = f"{path}: the certificate{_subject(certificate)}"
    if now >= end:
        yield f"{what} expired at {end:%Y-%m-%d %H:%M} UTC; renew it"
    if now < begin:
        yield f"{what} is valid from {begin:%Y-%m-%d %H:%M} UTC on; check the clock, or give a valid certificate"


def name_faults(path: Path, names: frozenset[str], demands: Demands) -> Iterator[str]:
    """Yields a fault for each name that is demanded and missing among `names`."""
    has = ", ".join(sorted(names)) or "none"
    for name, place in demands.names.items():
        if name not in names:
            yield f"{path}: the name {name} ({place}) is missing in the certificate, whose names are: {has}; add it"


def sha1_signed(certificate: x509.Certificate) -> bool:
    """Returns whether the signature of `certificate` uses SHA-1 or MD5."""
    return certificate.signature_algorithm_oid in _SHA1


def names_of(leaf: x509.Certificate) -> frozenset[str]:
    """Returns the DNS and URI names of `leaf`."""
    return frozenset((*_names(leaf, x509.DNSName), *_names(leaf, x509.UniformResourceIdentifier)))


def _names(leaf: x509.Certificate, kind: type[x509.DNSName | x509.UniformResourceIdentifier]) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(kind)


def _algorithm_faults(path: Path, leaf: x509.Certificate) -> Iterator[str]:
    wanted = f"issue the certificate for an RSA key of {MIN_RSA_BITS} bits or more, or an EC key on P-256 or P-384"
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield f"{path}: the certificate has a key that gRPC does not support; {wanted}"
        return
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            yield f"{path}: the RSA key has only {key.key_size} bits, and TLS clients refuse it; {wanted}"
    elif not isinstance(key, ec.EllipticCurvePublicKey):  # Ed25519, Ed448, DSA
        kind = type(key).__name__.removesuffix("PublicKey")
        yield f"{path}: gRPC does not support certificates with a key of the kind {kind}; {wanted}"
    elif not isinstance(key.curve, _CURVES):
        yield f"{path}: gRPC does not support certificates with a key on the curve {key.curve.name}; {wanted}"
    if sha1_signed(leaf):
        yield f"{path}: the certificate is signed with SHA-1, and TLS clients refuse this; issue it again with SHA-256"


def _usage_faults(path: Path, leaf: x509.Certificate, demands: Demands) -> Iterator[str]:
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        yield (
            f"{path}: the first certificate is that of a CA, whose key a service must not have; "
            "give a certificate that the CA issued to this service"
        )
    usage = _extension(leaf, x509.KeyUsage)
    if usage is not None and not usage.digital_signature:
        yield f"{path}: the key usage of the certificate excludes digital signatures; issue it with digitalSignature"
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    if purposes is None:
        return
    needs = ((demands.serves, "serverAuth", "of a server"), (demands.calls, "clientAuth", "of a client"))
    for needed, name, role in needs:
        oid = ExtendedKeyUsageOID.SERVER_AUTH if name == "serverAuth" else ExtendedKeyUsageOID.CLIENT_AUTH
        if needed and oid not in purposes:
            yield f"{path}: the certificate may not be used as that {role}; issue it with the extended key usage {name}"


def _extension(leaf: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return leaf.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _subject(certificate: x509.Certificate) -> str:
    text = certificate.subject.rfc4514_string()
    return f" {text!r}" if text else ""
