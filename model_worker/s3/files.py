"""The worker's side of models in S3: what the cache holds is opened, what it lacks is fetched by a child."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from typing import BinaryIO

from mesh.model_file import BadModel
from mesh.s3 import address as s3_address
from model_worker.s3.order import Order

_LEAVE_S = 5.0  # for the child to tell, after its own time is up


@dataclass(frozen=True, slots=True)
class S3Files:
    """Artifacts that are objects in S3, kept in the folder `cache` and named there by their SHA-256.

    What the cache does not hold, or not under a `sha256` known before, is fetched within `budget_s`.
    """

    sha256: str | None
    cache: str
    budget_s: float
    limit_bytes: int

    def open(self, uri: str) -> BinaryIO:
        """The object at `uri`, as a file of the cache that is whole."""
        try:
            s3_address.parse(uri)
        except ValueError as error:
            raise BadModel(str(error)) from error
        held = f"{self.cache}/{self.sha256}"
        if self.sha256 and is_whole(held, self.sha256):
            path = held
        else:
            path = _fetch(Order(uri, self.sha256, self.cache, self.budget_s, self.limit_bytes))
        return open(path, "rb")  # noqa: PTH123 (pathlib is 6 ms of a start)


def is_whole(path: str, sha256: str) -> bool:
    """Whether the file at `path` is there and has this digest."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (as above)
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _fetch(order: Order) -> str:
    """The path of the file in the cache; the child's notes on what it had to do twice go to our stderr."""
    child = subprocess.Popen(order.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = child.communicate(timeout=order.budget_s + _LEAVE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        raise BadModel(f"the download did not end in {order.budget_s:g} s (--fetch-s)") from None
    if child.returncode:
        raise BadModel(output.strip() or f"the download ended with exit code {child.returncode}; see above")
    return output.strip()
