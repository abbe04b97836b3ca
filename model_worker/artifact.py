"""Reads the bytes of a model from where they are stored, and checks their digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from mesh.model_file import BadModel


class ArtifactSource(Protocol):
    """A store of model files."""

    def open(self, uri: str) -> BinaryIO:
        """Returns the artifact as an open file with its own descriptor; raises `BadModel` if it does not exist."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """The bytes of a model, read once, their SHA-256, and the open file from which they were read.

    The file stays open so that the proof reads the same inode, even if the path is replaced in the meantime.
    """

    uri: str
    model: bytes
    sha256: str
    file: BinaryIO


class LocalFiles:
    """Model files on this machine, by path or by `file:` URI."""

    def open(self, uri: str) -> BinaryIO:
        """Returns the open file at `uri`."""
        scheme, separator, _ = uri.partition("://")
        if separator and scheme != "file":
            raise BadModel(f"{scheme}:// is not supported: give the path of a file, or s3://BUCKET/KEY")
        path = uri.removeprefix("file:").removeprefix("//") if uri.startswith("file:") else uri
        try:
            return open(path, "rb")  # noqa: PTH123 (pathlib adds 6 ms to the start)
        except OSError as error:
            raise BadModel(error.strerror or str(error)) from error


def fetch(source: ArtifactSource, uri: str, sha256: str | None) -> Artifact:
    """Reads the whole artifact; raises `BadModel` if that fails, or if its digest is not `sha256` (None: any)."""
    file = source.open(uri)
    try:
        model = file.read()
        digest = hashlib.sha256(model).hexdigest()
        if sha256 is not None and digest != sha256:
            raise BadModel(f"its SHA-256 is {digest}, not {sha256}: the file is damaged or wrong")
    except (OSError, BadModel) as error:
        file.close()
        raise BadModel(str(error)) from error
    return Artifact(uri, model, digest, file)
