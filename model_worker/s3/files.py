"""Models in S3 as an artifact source: opens the file in the cache, or starts a child process to download it."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from typing import BinaryIO

from mesh.model_file import BadModel
from mesh.s3 import address as s3_address
from model_worker.child_process import read_output
from model_worker.s3.fetch_request import FetchRequest

_REPORT_S = 5.0  # for the child to report, after its own time limit


@dataclass(frozen=True, slots=True)
class S3Files:
    """Objects in S3. The folder `cache` holds them as files that are named by their SHA-256.

    A model is downloaded within `budget_s` if it is not in the cache, or if its `sha256` is not known in advance.
    """

    sha256: str | None
    cache: str
    budget_s: float
    limit_bytes: int

    def open(self, uri: str) -> BinaryIO:
        """Returns the object at `uri` as an open file of the cache, which is complete."""
        try:
            s3_address.parse(uri)
        except ValueError as error:
            raise BadModel(str(error)) from error
        cached = f"{self.cache}/{self.sha256}"
        if self.sha256 and has_digest(cached, self.sha256):
            path = cached
        else:
            path = _fetch(FetchRequest(uri, self.sha256, self.cache, self.budget_s, self.limit_bytes))
        return open(path, "rb")  # noqa: PTH123 (pathlib adds 6 ms to the start)


def has_digest(path: str, sha256: str) -> bool:
    """Whether the file at `path` exists and has this digest."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (as above)
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _fetch(request: FetchRequest) -> str:
    """Returns the path of the file in the cache. The child reports its retries on our stderr."""
    child = subprocess.Popen(request.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    output, is_late = read_output(child, request.budget_s + _REPORT_S)
    if is_late:
        raise BadModel(f"the download did not end in {request.budget_s:g} s (--fetch-s)")
    if child.returncode:
        raise BadModel(output.strip() or f"the download ended with exit code {child.returncode}; see above")
    return output.strip()
