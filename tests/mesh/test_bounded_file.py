"""Files from outside are read up to a limit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mesh.bounded_file import read_bytes, read_text
from mesh.errors import TooLarge


def test_content_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(TooLarge, match=r"is larger than 3\.8147e-06 MiB"):
        read_bytes(file, 4)


def test_text_has_unix_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes("\ufeffa\r\nb\rc\n".encode())
    assert read_text(file, 100, encoding="utf-8-sig") == "a\nb\nc\n"


def test_pipe_that_a_file_names_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is not a regular file"):
        read_bytes(tmp_path / "pipe", 5, is_named_by_file=True)


def test_device_that_never_ends_is_refused() -> None:
    with pytest.raises(TooLarge):
        read_bytes(Path("/dev/zero"), 2**20)
