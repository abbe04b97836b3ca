"""The path from the certificate of a service to a CA, and the CAs that peers are checked against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from mesh.tls.files import TlsFiles
from mesh.tls.leaf import sha1_signed, time_faults

MAX_PATH = 10


def path_of(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """Returns the first certificate of `chain` and its issuers, as far as the issuers are in the files.

    The last is in `authorities` if a path leads there.
    """
    path = [chain[0]]
    while len(path) < MAX_PATH and path[-1] not in authorities:
        issuer = next((one for one in (*authorities, *chain[1:]) if one not in path and _issued(one, path[-1])), None)
        if issuer is None:
            break
        path.append(issuer)
    return path


def chain_faults(file: Path, path: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    """Yields a fault for each issuer on `path` that makes peers refuse the certificate; they come from `file`."""
    for issuer in path[1:]:
        yield from time_faults(file, issuer, now)
        if sha1_signed(issuer) and issuer.subject != issuer.issuer:
            yield f"{file}: an intermediate CA is signed with SHA-1, and TLS clients refuse this; issue it with SHA-256"


def first_to_expire(certificates: Iterable[x509.Certificate]) -> x509.Certificate:
    """Returns the certificate that expires first."""
    return min(certificates, key=lambda one: one.not_valid_after_utc)


def lifetime_of(certificate: x509.Certificate) -> timedelta:
    """Returns the time from the begin to the end of `certificate`."""
    return certificate.not_valid_after_utc - certificate.not_valid_before_utc


def authority_faults(file: Path, authorities: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    """Yields a fault if no peer could be accepted."""
    if all(one.not_valid_after_utc <= now for one in authorities):
        yield f"{file}: every CA has expired, and no peer would be accepted; give the CAs of the peers"


def authority_warnings(
    files: TlsFiles, path: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], now: datetime
) -> Iterator[str]:
    """Yields what may be wrong about the CAs, but may also be intended."""
    for one in authorities:
        if one.not_valid_after_utc <= now:
            name = one.subject.rfc4514_string()
            yield f"{files.ca}: the CA {name!r} expired at {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; remove it"
    if path[-1] not in authorities:
        yield (
            f"{files.cert}: the certificate does not lead to a CA in {files.ca}: peers with the same CAs refuse it; "
            "ignore this if the CA of this service is another than that of its peers, or add the intermediate CAs"
        )


def _issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
