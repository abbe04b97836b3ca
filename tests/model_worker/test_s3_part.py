from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import pytest

from model_worker.s3.part import try_take


def test_only_one_at_a_time_has_a_part(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "m.part"
    first = try_take(path)
    assert first is not None
    assert try_take(path) is None
    first.append(b"tree")
    first.close()
    second = try_take(path)
    assert second is not None
    second.resume()
    assert second.size_bytes == 4
    second.close()


def test_an_empty_part_is_not_left(tmp_path: Path) -> None:
    part = try_take(tmp_path / "m.part")
    assert part is not None
    part.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_became_whole_between_open_and_lock_is_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "m.part").write_bytes(b"tree")
    lock = fcntl.flock

    def be_late(*arguments: Any) -> None:
        path.rename(tmp_path / "whole")
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", be_late)
    assert try_take(path) is None
    assert (tmp_path / "whole").read_bytes() == b"tree"
