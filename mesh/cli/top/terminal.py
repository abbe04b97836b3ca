"""The terminal of a live view: keys without Enter, a second screen, and its state before, however the view ends."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import termios
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_ENTER = b"\x1b[?1049h\x1b[?25l\x1b[?7l"  # the second screen, no cursor, no line wrap
_LEAVE = b"\x1b[?7h\x1b[0m\x1b[?25h\x1b[?1049l"
_PATIENCE_S = 0.5
_MOST_BYTES = 4096
ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Ended(Exception):
    """A signal ends the view, or its terminal is gone (None)."""

    def __init__(self, number: int | None) -> None:
        super().__init__(number)
        self.number = number


class Terminal:
    """The terminal during a `with` block, of the main thread only.

    The block ends by `Ended` at a signal of `ENDS` or when the terminal is gone, and by KeyboardInterrupt at Ctrl-C.
    Ctrl-Z gives the terminal back while the process is stopped. `has_changed` is set when all must be drawn again.
    """

    def __init__(self, into: int | None, out: int) -> None:
        """`into` is the file descriptor of the keys; None: no keys. `out` is that of the screen."""
        self._into = into
        self._out = out
        self._before: list[Any] | None = None
        self._handlers: dict[int, Any] = {}
        self._wake, self._woken = socket.socketpair()
        self._old_wakeup = -1
        self.has_changed = True

    def __enter__(self) -> Terminal:
        for one in (self._wake, self._woken):
            one.setblocking(False)
        self._old_wakeup = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        try:
            if self._into is not None:
                self._before = termios.tcgetattr(self._into)
            handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = dict.fromkeys(ENDS, _end)
            handlers |= {signal.SIGWINCH: self._change, signal.SIGTSTP: self._stop, signal.SIGCONT: self._go_on}
            for number, handler in handlers.items():
                self._handlers[number] = signal.signal(number, handler)
            self._take()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # nothing may interrupt the restoration
        for number in self._handlers:
            signal.signal(number, signal.SIG_IGN)
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.signal(signal.SIGINT, interrupt)
        signal.set_wakeup_fd(self._old_wakeup)
        self._wake.close()
        self._woken.close()

    def size(self) -> os.terminal_size:
        """Returns the columns and lines; 80 and 24 if the terminal does not know."""
        try:
            size = os.get_terminal_size(self._out)
        except OSError:
            raise Ended(None) from None
        return os.terminal_size((size.columns or 80, size.lines or 24))

    def wait(self, seconds: float) -> bytes:
        """Returns the bytes of the keys that are pressed within `seconds`; none after a signal or that time."""
        sources: list[Any] = [self._woken] if self._into is None else [self._woken, self._into]
        ready, _, _ = select.select(sources, (), (), max(0.0, seconds))
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(_MOST_BYTES)
        if self._into is None or self._into not in ready:
            return b""
        try:
            data = os.read(self._into, _MOST_BYTES)
        except OSError:
            data = b""
        if not data:
            raise Ended(None)
        return data

    def write(self, data: bytes) -> bool:
        """Writes `data`; returns False if the terminal takes nothing now (Ctrl-S). Raises Ended if it is gone."""
        try:
            _, writable, _ = select.select((), [self._out], (), _PATIENCE_S)
            if not writable:
                return False
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            raise Ended(None) from None
        return True

    def _take(self) -> None:
        if self._into is not None and self._before is not None:
            mode = list(self._before)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            mode[6] = list(mode[6])
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self._into, termios.TCSANOW, mode)
        self.write(_ENTER)
        self.has_changed = True

    def _give_back(self) -> None:
        """Restores the terminal; a terminal that is gone needs nothing."""
        with contextlib.suppress(Ended):
            self.write(_LEAVE)
        if self._into is not None and self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._into, termios.TCSANOW, self._before)

    def _change(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature of signal)
        self.has_changed = True

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # stops here until SIGCONT; does nothing if no shell can send that
        signal.signal(number, self._stop)
        self._take()

    def _go_on(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._take()


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise Ended(number)
