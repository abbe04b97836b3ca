"""Files from outside, read up to a limit, so that no file fills the memory of the program.

Code that reads a file that a catalog or a command line names uses these functions.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from mesh.errors import TooLarge


def read_bytes(path: Path, limit_bytes: int, *, is_named_by_file: bool = False) -> bytes:
    """Returns the content of the file at `path`; raises OSError, and TooLarge if it has more than `limit_bytes`.

    With `is_named_by_file`, another file names the path: then a device or a pipe, which may never end, is refused.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (os.O_NONBLOCK if is_named_by_file else 0))
    with os.fdopen(descriptor, "rb") as file:
        if is_named_by_file and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise TooLarge(errno.EFBIG, f"is larger than {limit_bytes / 2**20:g} MiB", str(path))
    return content


def read_text(path: Path, limit_bytes: int, *, encoding: str = "utf-8", is_named_by_file: bool = False) -> str:
    """Returns the text of the file at `path`; raises as `read_bytes`, and UnicodeDecodeError."""
    content = read_bytes(path, limit_bytes, is_named_by_file=is_named_by_file)
    return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
