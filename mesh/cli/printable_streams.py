"""The streams of a command, so that no text from a catalog, a file or the network controls the terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from mesh.printable import lines


class PrintableStream:
    """A text stream that writes control characters, except newlines and tabs, as escapes.

    Everything else is that of the stream `rich_proxied_file`. rich writes to it directly, by this name: its colours are
    escape sequences, and `mesh.cli.console` makes the texts between them printable.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        """Writes `text`; returns the number of its characters."""
        self.rich_proxied_file.write(lines(text))
        return len(text)

    def writelines(self, texts: Any) -> None:
        """Writes each of `texts`."""
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextlib.contextmanager
def printable_streams() -> Iterator[None]:
    """Makes stderr printable during the block, and stdout if it is a terminal: a program gets the output unchanged."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stderr(_printable(sys.stderr)))
        if sys.stdout.isatty():
            stack.enter_context(contextlib.redirect_stdout(_printable(sys.stdout)))
        yield


def _printable(stream: TextIO) -> Any:
    return PrintableStream(stream)
