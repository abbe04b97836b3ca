"""A bearer token of a client, which follows its file."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from mesh.errors import Misconfigured, unreadable

REREAD_S = 1.0
HEADER = "authorization"


class Token:
    """A token; with `file`, the file is read again every `REREAD_S`, and a file without a token changes nothing.

    Raises Misconfigured, with `source` and the fix, if the token cannot be a header. Several threads may use it.
    """

    def __init__(
        self, source: str, text: str = "", file: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.file = file
        self._source = source
        self._clock = clock
        self._read_s = clock()
        self._text = _checked(source, text if file is None else _read(file))

    def current(self) -> str:
        """Returns the token to send now."""
        now_s = self._clock()
        if self.file is not None and now_s - self._read_s >= REREAD_S:
            self._read_s = now_s
            with contextlib.suppress(Misconfigured):  # the token before stays in use while the file is replaced
                self._text = _checked(self._source, _read(self.file))
        return self._text

    def header(self) -> tuple[str, str]:
        """Returns the metadata that shows the token, as RFC 6750 writes it."""
        return HEADER, f"Bearer {self.current()}"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(file, error, "give a file that holds the token") from error


def _checked(source: str, text: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        fix = "write the token on one line, in ASCII and without spaces"
        raise Misconfigured([f"{source}: {'is empty' if not token else 'is not a bearer token'}; {fix}"])
    return token
