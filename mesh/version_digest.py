"""The digest of a version: it names the model files that made an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

DIGITS = 16


def version_digest(files: Mapping[str, str]) -> str:
    """Returns the first 16 hex digits of the SHA-256 over the lines `MODEL SHA256`, in the order of the names.

    `files` has the SHA-256 of each model's file by the name of the model; it is empty if it is not known.
    """
    lines = "".join(f"{model} {files[model]}\n" for model in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGITS]
