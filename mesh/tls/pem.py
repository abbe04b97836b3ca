"""Reads the three PEM files of TLS as bytes: bounded, and never from a pipe or a device."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from mesh.errors import Misconfigured, unreadable
from mesh.tls.files import TlsFiles

LIMIT_BYTES = 2**20  # of a file: about 700 certificates


@dataclass(frozen=True, slots=True)
class PemBytes:
    """The content of the files of one `TlsFiles`; the files may still be of different pairs."""

    cert: bytes
    key: bytes = field(repr=False)
    ca: bytes


def read_pem_files(files: TlsFiles) -> PemBytes:
    """Reads the files. Raises Misconfigured, with all faults, if a file is missing, unreadable, empty or too large."""
    found: list[bytes] = []
    faults: list[str] = []
    for path in (files.cert, files.key, files.ca):
        try:
            found.append(read_pem(path))
        except Misconfigured as error:
            faults += error.faults
    if faults:
        raise Misconfigured(faults)
    return PemBytes(*found)


def read_pem(path: Path) -> bytes:
    """Reads one of the files; raises Misconfigured as `read_pem_files` does."""
    try:
        # A named pipe would block until somebody writes to it; with O_NONBLOCK, the next check refuses it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Misconfigured([f"{path}: is not a regular file; give a PEM file"])
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error, "give a PEM file that this process may read") from error
    if not content.strip():
        raise Misconfigured([f"{path}: is empty; give a PEM file"])
    if len(content) > LIMIT_BYTES:
        raise Misconfigured([f"{path}: is larger than {LIMIT_BYTES} bytes; give a PEM file of certificates or a key"])
    return content
