"""A program in a pseudo-terminal for tests: its keys, its size, and the screen that it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_WAIT_S = 30.0
# Cursor position, any other CSI sequence, a control character, or a character.
_PART = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|(.)", re.DOTALL)
_BEGUN = re.compile(r"\x1b(\[[?\d;]*)?$")


class Screen:
    """The lines of a terminal, by the few sequences that `mesh top` writes. Others fail the test."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self.modes: set[str] = set()
        self.colours: set[str] = set()
        self.unknown: list[str] = []
        self._row, self._column = 1, 1
        self._begun = ""  # a sequence whose end is in the next read

    def write(self, text: str) -> None:
        text = self._begun + text
        cut = _BEGUN.search(text)
        self._begun = cut.group() if cut else ""
        for found in _PART.finditer(text, 0, len(text) - len(self._begun)):
            row, column, parameters, final, _, character = found.groups()
            if row:
                self._row, self._column = int(row), int(column)
            elif character:
                self._put(character)
            elif final:
                self._sequence(parameters, final, found.group())

    def _put(self, character: str) -> None:
        line = self.lines.get(self._row, "").ljust(self._column - 1)
        self.lines[self._row] = line[: self._column - 1] + character + line[self._column :]
        self._column += 1
        if character == "\x1b":
            self.unknown.append(repr(self.lines[self._row]))

    def _sequence(self, parameters: str, final: str, whole: str) -> None:
        match final:
            case "K":
                self.lines[self._row] = self.lines.get(self._row, "")[: self._column - 1]
            case "J":
                self.lines = {}
            case "m":
                self.colours |= set(parameters.split(";"))
            case "h" | "l":
                (self.modes.add if final == "h" else self.modes.discard)(parameters)
            case _:
                self.unknown.append(repr(whole))


class PtyProgram:
    """A process whose terminal is a pseudo-terminal. A thread reads its output."""

    def __init__(self, command: Sequence[str], size: tuple[int, int], environment: Mapping[str, str]) -> None:
        self._ours, self._theirs = pty.openpty()  # theirs stays open: its modes are read after the end
        self.resize(*size)
        self.modes_before = termios.tcgetattr(self._theirs)
        self.screen = Screen()
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            command,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,  # in this session: a process whose session has no other is never stopped by Ctrl-Z
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        self._is_ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, columns: int, lines: int) -> None:
        """Changes the size, and sends the signal that a terminal emulator's kernel sends."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, fact: Callable[[list[str]], object]) -> list[str]:
        """Returns the lines of the screen as soon as `fact` is true of them."""
        end_s = time.monotonic() + _WAIT_S
        with self._changed:
            while not fact(lines := self.lines()):
                left_s = end_s - time.monotonic()
                if left_s <= 0 or self._is_ended:
                    raise AssertionError("the screen is:\n" + "\n".join(lines))
                self._changed.wait(left_s)
            return lines

    def lines(self) -> list[str]:
        """The lines of the screen."""
        last = max(self.screen.lines, default=0)
        return [self.screen.lines.get(row, "") for row in range(1, last + 1)]

    def modes(self) -> list[Any]:
        """The modes of the terminal, as termios has them."""
        return termios.tcgetattr(self._theirs)

    def end(self) -> tuple[int, str]:
        """Waits for the end of the program; returns its exit code and its stderr."""
        _, errors = self.process.communicate(timeout=_WAIT_S)
        return self.process.returncode, errors

    def hang_up(self) -> None:
        """Closes the terminal, as a terminal emulator does at its end."""
        os.close(self._theirs)
        os.close(self._ours)
        self._ours = self._theirs = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        if self._theirs >= 0:
            os.close(self._theirs)
            self._reader.join(_WAIT_S)
            os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                data = b""
            with self._changed:
                self._is_ended = not data
                self.screen.write(data.decode(errors="replace"))
                self._changed.notify_all()
            if not data:
                return


@contextmanager
def pty_program(
    command: Sequence[str], size: tuple[int, int] = (120, 40), environment: Mapping[str, str] = {}
) -> Iterator[PtyProgram]:
    """Runs the program in a terminal of `size` (columns, lines) during the block."""
    program = PtyProgram(command, size, environment)
    try:
        yield program
    finally:
        program.close()
