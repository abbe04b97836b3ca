from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from model_worker.s3.part import try_lock


def test_part_file_has_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "m.part"
    first = try_lock(path)
    assert first is not None
    assert try_lock(path) is None
    first.append(b"tree")
    first.close()
    second = try_lock(path)
    assert second is not None
    second.resume()
    assert second.size_bytes == 4
    second.close()


def test_empty_part_file_is_removed(tmp_path: Path) -> None:
    part = try_lock(tmp_path / "m.part")
    assert part is not None
    part.close()
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_completed_between_open_and_lock_is_not_a_part_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "m.part").write_bytes(b"tree")
    lock = fcntl.flock

    def rename_then_lock(*arguments: Any) -> None:
        path.rename(tmp_path / "complete")
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", rename_then_lock)
    assert try_lock(path) is None
    assert (tmp_path / "complete").read_bytes() == b"tree"
