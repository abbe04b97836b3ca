"""No text from a catalog, a file or the network controls the terminal of a command."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.text import Text

from mesh.cli import console
from mesh.cli.main import main
from mesh.cli.printable_streams import printable_streams

EVIL = "evil\x1b]0;owned\x07\x9b31m\u202e"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Called by the test itself: pytest replaces stdout between a fixture and its test."""
    found = Terminal()
    monkeypatch.setattr(sys, "stdout", found)
    monkeypatch.setenv("TERM", "xterm")
    return found


def test_tables_and_lines_show_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    out = console.stdout()
    rows = console.table(("name",))
    rows.add_row(Text(EVIL))
    rows.add_row("plain", style="red")
    out.print(rows)
    console.print_line(out, f"[bold]{EVIL}\nforged[/bold]")
    shown = terminal.getvalue()
    assert not {"\x07", "\x9b", "\u202e"} & set(shown)
    assert "\x1b]" not in shown
    assert "\x1b[31m" in shown  # its own colours stay
    assert r"[bold]evil\u001b]0;owned\u0007\u009b31m\u202e\nforged[/bold]" in shown


def test_printed_text_is_escaped_on_a_terminal_and_unchanged_for_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    with printable_streams():
        print(EVIL, "second", sep="\n")
    assert terminal.getvalue() == "evil\\u001b]0;owned\\u0007\\u009b31m\\u202e\nsecond\n"
    monkeypatch.setattr(sys, "stdout", pipe := io.StringIO())
    with printable_streams():
        print(EVIL)
    assert pipe.getvalue() == f"{EVIL}\n"


def test_a_fault_of_a_catalog_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text('game: "a\\e[2J\\nmesh.yaml:1: game: forged\\u2028\\u202E"\n')
    assert main(["catalog", "check", str(file)]) == 2
    found = capsys.readouterr().err
    assert "\x1b" not in found
    assert "\u202e" not in found
    assert not [line for line in found.splitlines() if not line.startswith(str(file))]


def test_an_error_from_the_network_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--once", "--metrics", "host\x1b[2J\nforged:1"]) != 0
    found = capsys.readouterr().err
    assert "\x1b" not in found
    assert not found.startswith("forged")
    assert "\nforged" not in found
