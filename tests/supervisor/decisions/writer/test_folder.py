"""The sink that is a folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from supervisor.decisions.writer.folder import UNFINISHED, FolderSink
from supervisor.decisions.writer.sink import SinkFailed
from tests.supervisor.replica import until


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_file_appears_with_all_its_bytes(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path / "log")
    await sink.put("decisions/game=arena/a.parquet", b"content" * 100_000)
    assert (tmp_path / "log/decisions/game=arena/a.parquet").read_bytes() == b"content" * 100_000
    assert files_in(tmp_path / "log") == {"decisions/game=arena/a.parquet"}


async def test_side_file_that_exists_is_kept(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path)
    await sink.put("ensembles/a.json", b"first", only_new=True)
    await sink.put("ensembles/a.json", b"second", only_new=True)
    assert (tmp_path / "ensembles/a.json").read_bytes() == b"first"


async def test_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        assert files_in(tmp_path) == {f"{UNFINISHED}/a.parquet"}
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SinkFailed, match="input/output error; check the volume"):
        await FolderSink(tmp_path).put("decisions/a.parquet", b"content")
    assert files_in(tmp_path) == set()


async def test_file_in_place_of_the_folder_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(SinkFailed, match=rf"{tmp_path}/log\S*: not a directory; name a folder in `decisions.to`"):
        await FolderSink(tmp_path / "log").put("decisions/a.parquet", b"content")


async def test_slow_write_is_given_up_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(SinkFailed, match="takes longer than 0 s; use a faster volume"):
        await FolderSink(tmp_path, attempt_s=0).put("decisions/a.parquet", bytes(2**20))
    await until(lambda: files_in(tmp_path) == set())


async def test_hanging_write_blocks_neither_the_loop_nor_more_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, write = os.pipe()
    monkeypatch.setattr(os, "fsync", lambda _: os.read(read, 1))
    sink = FolderSink(tmp_path, attempt_s=0.1)
    with pytest.raises(SinkFailed, match="takes longer than"):
        await sink.put("decisions/a.parquet", b"content")
    with pytest.raises(SinkFailed, match="an earlier write hangs"):
        await sink.put("decisions/b.parquet", b"content")
    os.write(write, b"xxxx")  # the disk answers again
    await sink.close()


async def test_only_old_unfinished_files_are_removed(tmp_path: Path) -> None:
    names = ("old.parquet", "new.parquet")
    for name, age_s in zip(names, (7200, 60), strict=True):
        (tmp_path / UNFINISHED).mkdir(exist_ok=True)
        (tmp_path / UNFINISHED / name).touch()
        os.utime(tmp_path / UNFINISHED / name, (time.time() - age_s,) * 2)
    assert await FolderSink(tmp_path).clean() == 1
    assert files_in(tmp_path) == {f"{UNFINISHED}/new.parquet"}
    assert await FolderSink(tmp_path / "missing").clean() == 0
