"""A certificate with its key and the CAs of its peers, read from PEM files and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from mesh.errors import Misconfigured
from mesh.tls.chain import authority_faults, authority_warnings, chain_faults, first_to_expire, lifetime_of, path_of
from mesh.tls.demands import Demands
from mesh.tls.files import TlsFiles
from mesh.tls.leaf import leaf_faults, names_of
from mesh.tls.pem import PemBytes, read_pem, read_pem_files

ANY_USE = Demands()
_ADVICE = re.compile(r" See https://\S+ for more details\.")  # in texts of cryptography
_BEGIN = (b"-----BEGIN CERTIFICATE-----", b"-----BEGIN X509 CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM bytes that belong together; `names` are the DNS and URI names of the certificate.

    `not_after` is the first expiry in the chain of the certificate, `ca_not_after` the first among the CAs that have
    not expired yet; the lifetimes are those of the certificates that expire then. `warnings` are sentences about a pair
    that works, but perhaps not as intended.
    """

    cert: bytes
    key: bytes = field(repr=False)
    ca: bytes
    not_after: datetime
    names: frozenset[str]
    ca_not_after: datetime
    lifetime: timedelta
    ca_lifetime: timedelta
    warnings: tuple[str, ...] = ()


def read_key_pair(files: TlsFiles, now: datetime, demands: Demands = ANY_USE) -> KeyPair:
    """Reads and checks `files`; raises Misconfigured, with the file and the fix, unless peers would accept them `now`.

    `now` has a time zone.
    """
    return check_key_pair(files, read_pem_files(files), now, demands)


def check_key_pair(files: TlsFiles, pem: PemBytes, now: datetime, demands: Demands = ANY_USE) -> KeyPair:
    """Checks the content of `files` as `read_key_pair` does."""
    chain, authorities = _certificates(files.cert, pem.cert), _certificates(files.ca, pem.ca)
    leaf = chain[0]
    path = path_of(chain, authorities)
    try:
        faults = [
            *_key_faults(files, chain, pem.key),
            *leaf_faults(files.cert, leaf, now, demands),
            *chain_faults(files.cert, path, now),
            *authority_faults(files.ca, authorities, now),
        ]
        if faults:
            raise Misconfigured(faults)
        names = names_of(leaf)
    except ValueError as error:  # an extension that cannot be parsed
        raise Misconfigured([f"{files.cert}: the certificate is damaged: {_short(error)}; issue it again"]) from error
    warnings = tuple(authority_warnings(files, path, authorities, now))
    own, ca = first_to_expire(path), first_to_expire(one for one in authorities if one.not_valid_after_utc > now)
    ends = (own.not_valid_after_utc, names, ca.not_valid_after_utc)
    return KeyPair(pem.cert, pem.key, pem.ca, *ends, lifetime_of(own), lifetime_of(ca), warnings)


def read_authorities(path: Path, now: datetime) -> bytes:
    """Reads the CAs of a peer, for a client without a certificate; raises Misconfigured for a file with faults."""
    pem = read_pem(path)
    if faults := list(authority_faults(path, _certificates(path, pem), now)):
        raise Misconfigured(faults)
    return pem


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Misconfigured(
            [f"{path}: is not a PEM file of certificates: {_short(error)}; give one with BEGIN CERTIFICATE"]
        ) from error
    begun = sum(map(pem.count, _BEGIN))
    if begun > len(found):  # the parser skips a block without an end
        raise Misconfigured(
            [f"{path}: is cut off: {len(found)} of {begun} certificates are whole; write the whole file"]
        )
    return found


def _key_faults(files: TlsFiles, chain: list[x509.Certificate], pem: bytes) -> Iterator[str]:
    try:
        # The validation of an RSA key takes 0.2 s; the comparison below shows whether the key is right.
        key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        yield f"{files.key}: is encrypted, and a service cannot ask for the password; decrypt it with openssl pkey"
        return
    except (ValueError, UnsupportedAlgorithm) as error:
        yield f"{files.key}: is not a PEM file of a private key: {_short(error)}; give one with BEGIN PRIVATE KEY"
        return
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(*form)
    if public == chain[0].public_key().public_bytes(*form):
        return
    if any(public == one.public_key().public_bytes(*form) for one in chain):
        yield f"{files.cert}: the certificate of the key must be the first, its CAs follow; change the order"
    else:
        yield f"{files.key}: is not the key of the first certificate in {files.cert}; give both files of one pair"


def _short(error: Exception) -> str:
    return _ADVICE.sub("", " ".join(str(error).split()))[:200]
