"""Takes the model's bytes from where they are kept, and checks that they are the right ones."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from mesh.model_file import BadModel


class ArtifactSource(Protocol):
    """Where model files are kept."""

    def open(self, uri: str) -> BinaryIO:
        """The artifact as an open file of its own descriptor; raises `BadModel` when there is none."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """The bytes of a model as they were read once, their SHA-256, and the open file they came from.

    The file stays open so that the proof reads the same inode, even if the path is replaced meanwhile.
    """

    uri: str
    model: bytes
    sha256: str
    file: BinaryIO


class LocalFiles:
    """Artifacts that are files of this machine: a path, or a `file:` URI."""

    def open(self, uri: str) -> BinaryIO:
        """The file at `uri`."""
        scheme, separator, _ = uri.partition("://")
        if separator and scheme != "file":
            raise BadModel(f"{scheme}:// is not supported: give the path of a file, or s3://BUCKET/KEY")
        path = uri.removeprefix("file:").removeprefix("//") if uri.startswith("file:") else uri
        try:
            return open(path, "rb")  # noqa: PTH123 (pathlib is 6 ms of a start)
        except OSError as error:
            raise BadModel(error.strerror or str(error)) from error


def fetch(source: ArtifactSource, uri: str, sha256: str | None) -> Artifact:
    """Reads the artifact whole; raises `BadModel` when it cannot, or when it is not the one of `sha256`."""
    file = source.open(uri)
    try:
        model = file.read()
        digest = hashlib.sha256(model).hexdigest()
        if sha256 is not None and digest != sha256:
            raise BadModel(f"its SHA-256 is {digest}, not {sha256}: the file is damaged, or another one")
    except (OSError, BadModel) as error:
        file.close()
        raise BadModel(str(error)) from error
    return Artifact(uri, model, digest, file)
