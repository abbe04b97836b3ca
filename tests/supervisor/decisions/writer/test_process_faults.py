"""The writer process on a full disk, a read-only volume, with S3, and when it is killed."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mesh.decisions.block import DecisionBlock
from mesh.decisions.log import open_log
from tests.emulators.s3 import S3, use
from tests.free_port import free_port
from tests.supervisor.decisions.writer.blocks import Shape, draw
from tests.supervisor.decisions.writer.writer_process import WriterProcess, writer

REQUESTS = 500
# Runs the last words with a file system of its own on the folder $1: of $2 bytes, of which a file `filler` takes $3,
# mounted with the options $4.
MOUNT = """
mount -t tmpfs -o size="$2" tmpfs "$1" && head -c "$3" /dev/zero > "$1/filler"
mount -o "remount,$4" "$1"; shift 4; exec "$@"
"""


def mounted(folder: Path, size_bytes: int, filler_bytes: int = 0, options: str = "rw") -> list[str]:
    """The words before a command that gives it a file system of its own; skips the test without user namespaces."""
    words = ["unshare", "-rm", "sh", "-c", MOUNT, "sh"]
    try:
        subprocess.run([*words, folder, "65536", "0", "rw", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(
            "this machine allows no user namespaces; run the test as root or set sysctl user.max_user_namespaces"
        )
    return [*words, str(folder), str(size_bytes), str(filler_bytes), options]


def seen_by(process: WriterProcess, folder: Path) -> Path:
    """The folder in the file systems of the process."""
    return Path(f"/proc/{process.pid}/root{folder}")


def block(seed: int = 1) -> DecisionBlock:
    return draw(Shape(requests=REQUESTS, seed=seed)).block()


def test_full_disk_is_reported_and_written_when_it_has_space(tmp_path: Path) -> None:
    before = mounted(tmp_path, 2**20, filler_bytes=2**20 - 2**14)
    with writer(str(tmp_path), flush_s=0.1, before=before) as process:
        process.send(block())
        failed = process.report(lambda report: report.failure is not None)
        assert "no space left on device; delete old files or enlarge the volume" in str(failed.failure)
        assert (failed.written, failed.held) == (0, REQUESTS)
        assert not list(seen_by(process, tmp_path).rglob("*.parquet"))
        (seen_by(process, tmp_path) / "filler").unlink()
        written = process.report(lambda report: report.written == REQUESTS)
        assert (written.failure, written.dropped) == (None, {})
        (file,) = seen_by(process, tmp_path).rglob("*.parquet")
        assert pq.read_table(file).num_rows == REQUESTS


def test_memory_stays_bounded_on_a_full_disk(tmp_path: Path) -> None:
    before, bound = mounted(tmp_path, 2**16, filler_bytes=2**20), 2**20
    with writer(str(tmp_path), flush_s=0.1, max_bytes=bound, stop_s=0.1, before=before) as process:
        for seed in range(40):
            process.send(block(seed))
        report = process.report(lambda report: report.held + report.dropped.get("sink", 0) == 40 * REQUESTS)
        assert report.held_bytes <= bound
        assert report.dropped["sink"] > 20 * REQUESTS
        last = process.finish()
        assert sum(last.dropped.values()) == 40 * REQUESTS
        assert (last.written, last.held) == (0, 0)


def test_read_only_volume_is_reported_with_the_fix(tmp_path: Path) -> None:
    with writer(str(tmp_path), flush_s=0.1, before=mounted(tmp_path, 2**20, options="ro")) as process:
        process.send(block())
        failed = process.report(lambda report: report.failure is not None)
        assert "read-only file system; mount the volume for writing" in str(failed.failure)


def test_killed_writer_leaves_complete_files_and_loses_only_what_it_held(tmp_path: Path) -> None:
    with writer(str(tmp_path), flush_s=0.05) as process:
        for seed in itertools.count():
            process.send(block(seed))
            if (report := process.report(lambda _: True)).files >= 2:
                break
        sent = (seed + 1) * REQUESTS
        process.send(*[block(seed) for seed in range(20)])
        process.process.kill()
        process.ended()
    with open_log(str(tmp_path)) as log:
        rows = log.read(log.decisions("arena")).num_rows
    assert report.written <= rows <= sent + 20 * REQUESTS


def test_blocks_are_in_s3_when_the_messages_end(s3_store: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, s3_store.endpoint)
    with writer("s3://written-by-process/log", flush_s=0.1) as process:
        process.send(block(1))
        failed = process.report(lambda report: report.failure is not None)
        assert "no such bucket: written-by-process does not exist" in str(failed.failure)
        s3_store.make_bucket("written-by-process")
        process.send(block(2))
        last = process.finish()
    assert (last.written, last.dropped, last.failure) == (2 * REQUESTS, {}, None)
    with open_log("s3://written-by-process/log") as log:
        assert log.read(log.decisions("arena")).num_rows == 2 * REQUESTS


def test_dead_store_ends_the_writer_in_time_and_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, f"http://127.0.0.1:{free_port()}")
    with writer("s3://nowhere", stop_s=5.0) as process:
        process.send(block())
        last = process.finish()
    assert (last.written, last.dropped, last.held) == (0, {"stopped": REQUESTS}, 0)
    assert "cannot connect to" in str(last.failure)
