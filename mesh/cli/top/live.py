"""The loop of the live view: draws once a second, and after each key."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from mesh.cli.console import PrintableConsole
from mesh.cli.top.controls import Controls, pressed
from mesh.cli.top.keys import keys
from mesh.cli.top.screen import screen, versions
from mesh.cli.top.terminal import Terminal
from mesh.cli.top.view import MeshView


def show(terminal: Terminal, current: Callable[[], MeshView], controls: Controls, period_s: float) -> None:
    """Shows the view until the key q; raises Ended if a signal or the terminal ends it."""
    console = PrintableConsole(file=io.StringIO(), force_terminal=True, markup=False, emoji=False, highlight=False)
    view, clock, next_s = current(), _clock(), time.monotonic() + period_s
    drawn: list[str] = []
    while True:
        size = terminal.size()
        if terminal.has_changed:
            terminal.has_changed, drawn = False, []
        shown = screen(view, controls, size.columns, size.lines, clock)
        lines = _escaped(console, shown.lines)
        if terminal.write(_difference(drawn, lines)):
            drawn = lines
        for key in keys(terminal.wait(next_s - time.monotonic())):
            controls = pressed(controls, key, versions(view), shown.last_offset)
        if controls.is_ended:
            return
        if time.monotonic() >= next_s:
            next_s = max(next_s + period_s, time.monotonic())
            if not controls.is_paused:
                view, clock = current(), _clock()


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _escaped(console: Console, lines: Sequence[Text]) -> list[str]:
    """The lines with the escapes of their styles, which end within their line."""
    with console.capture() as captured:
        console.print(Text("\n").join(lines), soft_wrap=True, end="")
    return captured.get().split("\n")


def _difference(before: Sequence[str], after: Sequence[str]) -> bytes:
    """The output that changes the screen from the lines `before`; all of it without such lines."""
    if len(before) != len(after):
        before = ()
    changed = (
        f"\x1b[{number};1H{line}\x1b[K"
        for number, line in enumerate(after, start=1)
        if not before or before[number - 1] != line
    )
    clear = "" if before else "\x1b[2J"
    return (clear + "".join(changed)).encode(errors="replace")
